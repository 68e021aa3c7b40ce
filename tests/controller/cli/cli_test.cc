// The program itself against a controller in this process: what it prints, and its exit codes.
#include "controller/cli/cli.h"

#include <sys/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <regex>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tests/support/golden.h"
#include "tests/support/test_controller.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

using Words = std::vector<std::string>;

/// All there are.
const std::vector<Words> kVerbs{{"image", "import"},
                                {"image", "list"},
                                {"image", "show"},
                                {"image", "remove"},
                                {"loader", "import"},
                                {"loader", "show"},
                                {"loader", "remove"},
                                {"doctor"},
                                {"diff"},
                                {"apply"},
                                {"release", "list"},
                                {"release", "show"},
                                {"rollout", "start"},
                                {"rollout", "watch"},
                                {"rollout", "status"},
                                {"rollout", "list"},
                                {"rollout", "pause"},
                                {"rollout", "resume"},
                                {"rollout", "abort"},
                                {"site", "list"},
                                {"site", "show"},
                                {"agent", "enroll"},
                                {"agent", "list"},
                                {"agent", "revoke"},
                                {"host", "list"},
                                {"host", "set"},
                                {"host", "install"},
                                {"operator", "request"},
                                {"operator", "issue"},
                                {"operator", "list"},
                                {"operator", "revoke"},
                                {"controller", "show"},
                                {"status"}};

struct Ran {
  int exit = -1;
  std::string out;  ///< stdout, then stderr
};

enum class Shape {
  object,
  array,
  objects  ///< one a line
};

/// What a verb is to say with `-o json`.
struct Spoken {
  Words words;
  Shape shape = Shape::object;
  int exit = 0;
};

class CliTest : public ::testing::Test {
 protected:
  CliTest() { controller_.add_image("centos7", "1708"); }

  static std::string quoted(const std::string& word) { return "'" + word + "'"; }

  Ran run(const std::vector<std::string>& words, Role role = Role::admin) {
    std::string command = quoted(FARBOOT_CLI);
    command += " --context " + quoted(controller_.context(role).string());
    for (const std::string& word : words) command += " " + quoted(word);
    return run_command(command);
  }
  /// In this process: `out` is what a program reads, stdout alone.
  Ran run_for_a_program(const Words& words) {
    Words all{"farboot", "--context", controller_.context(Role::admin).string(), "-o", "json"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<const char*> argv;
    for (const std::string& word : all) argv.push_back(word.c_str());
    std::ostringstream out, err;
    Terminal terminal{out, err};
    const int exit = run_cli(static_cast<int>(argv.size()), argv.data(), terminal);
    return {exit, out.str()};
  }
  Ran run_command(const std::string& command) {
    Ran ran;
    const std::string errors = (controller_.folder / "stderr").string();
    std::FILE* const pipe = ::popen((command + " 2>" + quoted(errors)).c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::array<char, 4096> buffer;
    std::size_t got = 0;
    while ((got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0)
      ran.out.append(buffer.data(), got);
    const int status = ::pclose(pipe);
    ran.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ifstream in(errors);
    std::ostringstream text;
    text << in.rdbuf();
    if (!text.str().empty()) ran.out += "--- stderr\n" + text.str();
    return ran;
  }
  /// What changes from run to run becomes a word.
  std::string plain(std::string text) {
    const auto replace = [&](const std::string& what, const std::string& with) {
      for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
        text.replace(at, what.size(), with);
    };
    replace(controller_.address(), "ADDRESS");
    replace(controller_.folder.path().string(), "FOLDER");
    text = std::regex_replace(text, std::regex("[0-9a-f]{64}"), "DIGEST");
    text = std::regex_replace(text, std::regex("\\b[0-9a-f]{12}\\b"), "DIGEST");
    text = std::regex_replace(text, std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}"), "TIME");
    return std::regex_replace(text, std::regex("fb1\\.[A-Za-z0-9_.-]+"), "TOKEN");
  }
  void golden(const std::string& name, const Ran& ran, int exit = 0) {
    EXPECT_EQ(ran.exit, exit) << name;
    expect_golden("cli/" + name + ".txt", plain(ran.out));
  }
  void expect_json(const Spoken& spoken) {
    SCOPED_TRACE(::testing::PrintToString(spoken.words));
    const Ran ran = run_for_a_program(spoken.words);
    EXPECT_EQ(ran.exit, spoken.exit);
    Words texts{ran.out};
    if (spoken.shape == Shape::objects) {
      texts.clear();
      std::istringstream lines(ran.out);
      for (std::string line; std::getline(lines, line);) texts.push_back(line);
      EXPECT_FALSE(texts.empty());
    }
    for (const std::string& text : texts) {
      const auto json = nlohmann::json::parse(text, nullptr, false);
      EXPECT_TRUE(spoken.shape == Shape::array ? json.is_array() : json.is_object()) << text;
    }
  }
  /// A tree that can be booted.
  std::string small_tree() {
    const std::filesystem::path tree = controller_.folder / "tree";
    std::filesystem::create_directories(tree / "images/pxeboot");
    std::ofstream(tree / "images/pxeboot/vmlinuz") << "kernel";
    std::ofstream(tree / "images/pxeboot/initrd.img") << "initrd";
    return tree.string();
  }
  /// A fleet of one site, as files.
  std::string fleet() {
    const std::filesystem::path path = controller_.folder / "fleet";
    std::filesystem::create_directories(path / "sites");
    std::filesystem::create_directories(path / "kickstarts");
    std::filesystem::create_directories(path / "assets");
    std::ofstream(path / "fleet.yaml")
        << "menu: {title: Lyon, timeout: 10, default: local, picture: bg.png}\n"
           "entries:\n"
           "  c7: {title: CentOS 7, image: centos7, kickstart: base}\n"
           "  local: {title: Local disk, kind: local}\n";
    std::ofstream(path / "sites/lyon.yaml")
        << "labels: {tier: canary}\n"
           "hosts:\n"
           "  web1: {macs: [52:54:00:00:00:01], entry: c7, install: true}\n";
    std::ofstream(path / "kickstarts/base.ks") << "text\nurl --url={{image.repo}}\nreboot\n";
    // More than one message holds.
    std::ofstream(path / "assets/bg.png", std::ios::binary) << std::string(2'500'000, 'p');
    return path.string();
  }

  TestController controller_;
};

TEST_F(CliTest, WalksFromApplyToRollout) {
  const std::string folder = fleet();
  golden("diff-first", run({"diff", folder}));
  EXPECT_FALSE(*controller_.releases.newest());

  golden("apply-first", run({"apply", folder, "--comment", "first"}));
  ASSERT_TRUE(*controller_.releases.newest());
  EXPECT_EQ((*controller_.releases.newest())->release.comment, "first");

  golden("apply-again", run({"apply", folder}));

  std::ofstream(folder + "/kickstarts/base.ks") << "text\nurl --url={{image.repo}}\npoweroff\n";
  golden("diff-changed", run({"diff", folder}));
  EXPECT_EQ(run({"apply", folder}).exit, 0);

  golden("release-list", run({"release", "list"}));
  golden("release-show", run({"release", "show", "r1"}));
  golden("site-list", run({"site", "list"}));
  golden("host-list", run({"host", "list"}));
  golden("agent-enroll", run({"agent", "enroll", "--site", "lyon", "--ttl", "2h"}));

  controller_.enrol("lyon", "pi1");
  AgentReport report = controller_.report("lyon/pi1");
  report.step = TransferStep::chunk;
  report.release = (*controller_.releases.newest())->digest;
  report.bytes_done = 450'000'000;
  report.bytes_total = 1'000'000'000;
  report.bytes_per_second = 11'200'000;
  controller_.fleet.on_connected("lyon/pi1", "lyon");
  controller_.fleet.on_report(report);
  golden("agent-list", run({"agent", "list"}));
  golden("rollout-start", run({"rollout", "start", "r2", "--site", "lyon"}));
  ASSERT_TRUE(controller_.runner.run_once());
  golden("rollout-status", run({"rollout", "status"}));
  golden("site-show", run({"site", "show", "lyon"}));
  golden("status", run({"status"}));
  golden("rollout-abort", run({"rollout", "abort", "--reason", "wrong"}));
  ASSERT_TRUE(controller_.runner.run_once());
  golden("rollout-watch", run({"rollout", "watch"}), 1);  // it did not end as it should
  golden("rollout-list", run({"rollout", "list"}));
  golden("host-install", run({"host", "install", "lyon/web1"}));
  golden("host-set", run({"host", "set", "lyon/web1", "--entry", "", "--var", "ip=10.0.0.9"}));
}

TEST_F(CliTest, WatchFollowsARolloutToItsGoodEnd) {
  ASSERT_EQ(run({"apply", fleet()}).exit, 0);
  controller_.enrol("lyon", "pi1");
  const Digest release = (*controller_.releases.newest())->digest;
  AgentReport report = controller_.report("lyon/pi1");
  report.staged = report.active = release;
  report.ready_proof = controller_.ready_proof("lyon/pi1", release);
  controller_.fleet.on_connected("lyon/pi1", "lyon");
  controller_.fleet.on_report(report);
  controller_.runner.start();
  const Ran ran = run({"rollout", "start", "r1", "--all", "--watch"});
  EXPECT_EQ(ran.exit, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("lyon active\n"));
  EXPECT_THAT(ran.out, HasSubstr("rollout 1 of r1: done\n"));
}

TEST_F(CliTest, ImagesForPeopleAndPrograms) {
  golden("image-list", run({"image", "list"}));
  golden("image-show", run({"image", "show", "centos7"}));
  golden("image-list-json", run({"image", "list", "-o", "json"}));
  EXPECT_EQ(run({"image", "remove", "centos7"}).exit, 0);
  golden("image-gone", run({"image", "show", "centos7"}), 3);
  golden("loader-none", run({"loader", "show"}), 3);
}

TEST_F(CliTest, LoadersOfSeveralSourcesAreAddedAndDropped) {
  const auto ipxe = controller_.folder / "ipxe", more = controller_.folder / "more";
  for (const auto& folder : {ipxe, more}) std::filesystem::create_directories(folder);
  std::ofstream(ipxe / "undionly.kpxe") << "undi";
  std::ofstream(more / "wimboot") << "wim";
  EXPECT_EQ(run({"loader", "import", ipxe, more}).exit, 0);
  const Ran dropped = run({"loader", "import", more});
  EXPECT_THAT(dropped.out, HasSubstr("no longer there: undionly.kpxe (of " + ipxe.string() + ")"));
  const Ran added = run({"loader", "import", ipxe, "--add"});
  EXPECT_THAT(added.out, ::testing::Not(HasSubstr("warning:")));
  EXPECT_THAT(added.out, HasSubstr("next `farboot apply`"));
  const Ran shown = run({"loader", "list"});
  EXPECT_THAT(shown.out, HasSubstr("undionly.kpxe  " + ipxe.string() + "\n"));
  EXPECT_THAT(shown.out, HasSubstr("wimboot        " + more.string() + "\n"));
  EXPECT_EQ(run({"loader", "remove", "wimboot"}).exit, 0);
  const Ran last = run({"loader", "remove", "undionly.kpxe"});
  EXPECT_EQ(last.exit, 3);
  EXPECT_THAT(last.out, HasSubstr("no machine could start"));
}

TEST_F(CliTest, EveryVerbSpeaksJsonToPrograms) {
  const std::string folder = fleet(), tree = small_tree(), bob = controller_.folder / "bob";
  for (const char* name : {"/ipxe.efi", "/wimboot"}) std::ofstream(tree + name) << "loader";
  controller_.enrol("lyon", "pi1");
  controller_.runner.start();
  // Each finds what it needs. The agent is away, so the rollout waits until it is aborted.
  const std::vector<Spoken> all{
      {{"diff", folder}},
      {{"apply", folder}},
      {{"release", "list"}, Shape::array},
      {{"release", "show", "r1"}},
      {{"image", "list"}, Shape::array},
      {{"image", "show", "centos7"}},
      {{"image", "import", tree, "--name", "files", "--tag", "1"}},
      {{"image", "remove", "files"}},
      {{"loader", "import", tree}},
      {{"loader", "show"}},
      {{"loader", "remove", "wimboot"}},
      {{"site", "list"}, Shape::array},
      {{"site", "show", "lyon"}},
      {{"host", "list"}, Shape::array},
      {{"host", "set", "lyon/web1", "--var", "ip=10.0.0.9"}},
      {{"host", "install", "lyon/web1"}},
      {{"agent", "enroll", "--site", "lyon"}},
      {{"agent", "list"}, Shape::array},
      {{"rollout", "start", "r1", "--all", "--offline", "wait"}},
      {{"rollout", "list"}, Shape::array},
      {{"rollout", "status"}},
      {{"rollout", "pause"}},
      {{"rollout", "resume"}},
      {{"rollout", "abort"}},
      {{"rollout", "watch"}, Shape::objects, 1},
      {{"agent", "revoke", "lyon/pi1"}},
      {{"doctor", "lyon"}, Shape::array, 1},  // its only agent is revoked
      {{"operator", "request", "--out", bob}},
      {{"operator", "issue", "bob", "--csr", bob + "/request.pem", "--out", bob}},
      {{"operator", "list"}, Shape::array},
      {{"operator", "revoke", "bob"}, Shape::array},
      {{"controller", "show"}},
      {{"status"}},
  };
  for (const Spoken& each : all) expect_json(each);
  for (const Words& verb : kVerbs)
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Spoken& each) {
      return each.words.size() >= verb.size() &&
             std::equal(verb.begin(), verb.end(), each.words.begin());
    })) << ::testing::PrintToString(verb);
}

TEST_F(CliTest, ImportsAndSaysSo) {
  const Ran ran = run({"image", "import", small_tree(), "--name", "files", "--tag", "1"});
  EXPECT_EQ(ran.exit, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("imported files@1"));
  EXPECT_EQ(run({"image", "import", "/nowhere.iso", "--name", "x", "--tag", "1"}).exit, 3);
}

TEST_F(CliTest, ReportsEveryMistakeBeforeAnythingIsSent) {
  const Ran ran = run({"apply", "tests/golden/fleet/broken"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("tests/golden/fleet/broken/sites/nice.yaml:2: error: mac "
                                 "52:54:00:00:00:01 is lyon/web1's already (sites/lyon.yaml:4)"));
  EXPECT_THAT(ran.out, HasSubstr("did you mean \"title\"?"));
  EXPECT_THAT(ran.out, HasSubstr("nothing was sent"));
  EXPECT_FALSE(*controller_.releases.newest());
}

TEST_F(CliTest, ExitCodesTellScriptsWhatHappened) {
  EXPECT_EQ(run({"image", "fly"}).exit, 2);
  EXPECT_EQ(run({}).exit, 2);
  EXPECT_EQ(run({"rollout", "start", "r1"}).exit, 2) << "to which sites?";
  EXPECT_EQ(run({"agent", "enroll", "--site", "x", "--ttl", "soon"}).exit, 2);
  EXPECT_EQ(run({"image", "list", "-o", "xml"}).exit, 2);
  EXPECT_EQ(run({"rollout", "status", "7"}).exit, 3);
  EXPECT_EQ(run({"host", "install", "lyon/web1"}, Role::viewer).exit, 3);
  EXPECT_EQ(run({"host", "install", "web1"}).exit, 1);
  EXPECT_EQ(run({"--help"}).exit, 0);
  EXPECT_EQ(run({"--version"}).exit, 0);
  const Ran nowhere = run_command(quoted(FARBOOT_CLI) + " --context /nowhere status");
  EXPECT_EQ(nowhere.exit, 3);
  EXPECT_THAT(nowhere.out, HasSubstr("/nowhere/context.json: is not there"));
}

TEST_F(CliTest, SaysSoWhenTheControllerIsAway) {
  controller_.stop();
  const Ran ran = run({"status"});
  EXPECT_EQ(ran.exit, 4);
  EXPECT_THAT(ran.out, HasSubstr("the controller at " + controller_.address()));
  const Ran apply = run({"apply", "tests/golden/fleet/broken"});
  EXPECT_EQ(apply.exit, 1) << "the mistakes are reported all the same";
  EXPECT_THAT(apply.out, HasSubstr("unknown key \"titel\""));
  EXPECT_EQ(run({"apply", fleet()}).exit, 4);
}

TEST_F(CliTest, AMirrorThatIsAwayIsNotTheController) {
  const Ran ran = run({"image", "import", "file:///nowhere/tree", "--name", "x", "--tag", "1"});
  EXPECT_NE(ran.exit, 4) << ran.out;
  // Nothing listens on the port of a controller that is gone.
  TestController gone;
  gone.stop();
  const Ran away =
      run({"image", "import", "http://" + gone.address() + "/tree", "--name", "x", "--tag", "1"});
  EXPECT_EQ(away.exit, 1) << away.out;
  EXPECT_THAT(away.out, HasSubstr("import http://" + gone.address()));
  EXPECT_EQ(away.out.find("was not reached"), std::string::npos);
}

TEST_F(CliTest, HelpHasAnExampleForEveryVerb) {
  for (std::vector<std::string> verb : kVerbs) {
    verb.insert(verb.begin(), "farboot");
    verb.push_back("--help");
    std::vector<const char*> words;
    for (const std::string& word : verb) words.push_back(word.c_str());
    std::ostringstream out, err;
    Terminal terminal{out, err};
    EXPECT_EQ(run_cli(static_cast<int>(words.size()), words.data(), terminal), 0);
    EXPECT_THAT(out.str(), HasSubstr("Example:\n  farboot " + verb[1])) << verb[1];
  }
}

}  // namespace
}  // namespace farboot
