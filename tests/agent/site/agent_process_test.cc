// farboot-agent itself, the program as it is installed, in a network namespace of its own, beside a
// real controller: enrolled by a token, fed, hurt, and healed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <utility>

#include "agent/link/identity.h"
#include "common/store/pack_store.h"
#include "tests/agent/http/raw_client.h"
#include "tests/support/eventually.h"
#include "tests/support/link_controller.h"
#include "tests/support/namespaces.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

constexpr std::uint16_t kHttpPort = 8080;  // the namespace is ours alone

class AgentProcess : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = net_.create(); !why.empty()) GTEST_SKIP() << why;
    controller_ = std::make_unique<LinkController>();
    std::ofstream(folder_ / "agent.toml")
        << "state_dir = \"" << (folder_ / "state").string() << "\"\n"
        << "http_port = " << kHttpPort << "\ntftp_port = 6969\ndhcp_mode = \"off\"\n"
        << "store_reserve_bytes = \"1 MB\"\n";
  }
  void TearDown() override {
    if (pid_ > 0) stop();
  }
  pid_t spawn(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {FARBOOT_AGENT, "--config", folder_ / "agent.toml"});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int fd : {1, 2})
      posix_spawn_file_actions_addopen(&actions, fd, (folder_ / "log").c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    pid_t pid = -1;
    EXPECT_EQ(::posix_spawn(&pid, FARBOOT_AGENT, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }
  static int status_of(pid_t pid) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void start() { pid_ = spawn({}); }
  void stop() {
    ::kill(pid_, SIGTERM);
    EXPECT_EQ(status_of(pid_), 0) << log();
    pid_ = -1;
  }
  std::string log() const {
    std::stringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }
  /// Of an agent that may not listen yet: an empty answer.
  static Answer get(const std::string& path) {
    const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kHttpPort);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return {};
    RawClient client(kHttpPort);
    return client.get(path);
  }
  /// The files of a release: path to what they must be.
  std::map<std::string, Digest> files_of(const Digest& release) {
    std::map<std::string, Digest> out;
    const Release content = controller_->releases->find(release)->release;
    for (const Digest& tree : content.manifests()) {
      const auto manifest = get_manifest(*controller_->content, tree);
      for (const FileEntry& file : manifest->files)
        out["/t/" + tree.hex() + "/" + file.path] = file.sha256;
    }
    return out;
  }

  Namespaces net_;
  TempFolder folder_;
  std::unique_ptr<LinkController> controller_;
  pid_t pid_ = -1;
};

TEST_F(AgentProcess, ARottenChunkIsNeverServedIsFetchedAgainAndReported) {
  const Digest release = controller_->add_release(12);
  controller_->order("lyon", {}, release);
  ASSERT_EQ(status_of(spawn({"enroll", controller_->token("lyon", "pi1")})), 0) << log();
  start();
  const auto files = files_of(release);
  const auto served = [&](const std::string& path) {
    const Answer answer = get(path);
    if (answer.status != 200 || !answer.whole) return false;  // not now: the client asks again
    EXPECT_EQ(sha256(as_bytes(answer.body)), files.at(path)) << path << ": wrong bytes";
    return true;
  };
  for (const auto& [path, digest] : files)
    ASSERT_TRUE(eventually([&] { return served(path); })) << path << log();
  stop();

  for (const auto& pack : std::filesystem::directory_iterator(folder_ / "state" / "packs")) {
    std::fstream file(pack.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1'000, std::ios::end);
    file.put('\x5a').put('\xa5');
  }
  start();
  for (const auto& [path, digest] : files)
    ASSERT_TRUE(eventually([&] { return served(path); })) << path << log();
  EXPECT_THAT(log(), HasSubstr("event=store.quarantined"));
  EXPECT_THAT(log(), HasSubstr("event=http.chunk_lost"));
  EXPECT_TRUE(eventually([&] { return log().find("event=sync.healed") != std::string::npos; }))
      << log();
  EXPECT_TRUE(eventually([&] {
    const auto report = controller_->report("lyon/pi1");
    return report && report->rotten_chunks == 1;
  }));
}

TEST_F(AgentProcess, ALostIndexIsRebuiltFromThePacksAndLittleIsFetchedAgain) {
  const auto sent = std::make_shared<std::atomic<std::size_t>>(0);
  controller_->watch({.wanted = {}, .sent = [sent](const Digest&) { ++*sent; }});
  const Digest release = controller_->add_release(12);
  controller_->order("lyon", {}, release);
  ASSERT_EQ(status_of(spawn({"enroll", controller_->token("lyon", "pi1")})), 0) << log();
  start();
  const auto files = files_of(release);
  const auto served = [&](const std::string& path) {
    const Answer answer = get(path);
    return answer.status == 200 && answer.whole && sha256(as_bytes(answer.body)) == files.at(path);
  };
  for (const auto& [path, digest] : files)
    ASSERT_TRUE(eventually([&] { return served(path); })) << path << log();
  EXPECT_EQ(status_of(spawn({"store", "rebuild"})), 1) << "not while the agent runs";
  EXPECT_THAT(log(), HasSubstr("stop it first (systemctl stop farboot-agent)"));
  for (const auto& [path, digest] : files) EXPECT_TRUE(served(path)) << path;
  stop();

  // Beside a whole database nothing is lost.
  ASSERT_EQ(status_of(spawn({"store", "rebuild"})), 0) << log();
  EXPECT_THAT(log(), HasSubstr("r1 is active and whole\n"));

  std::filesystem::rename(folder_ / "state" / "db", folder_ / "lost");
  EXPECT_EQ(status_of(spawn({})), 1);
  EXPECT_THAT(log(), HasSubstr("rebuild it; with: farboot-agent store rebuild"));
  ASSERT_EQ(status_of(spawn({"store", "rebuild"})), 0) << log();
  EXPECT_THAT(log(), HasSubstr("no release is known here: the agent serves again once"));
  EXPECT_THAT(log(), HasSubstr("start the agent: systemctl start farboot-agent\n"));

  const std::size_t before = *sent;
  start();
  for (const auto& [path, digest] : files)
    ASSERT_TRUE(eventually([&] { return served(path); })) << path << log();
  EXPECT_LT(*sent - before, before) << "only what lay in the database is sent again";
}

TEST_F(AgentProcess, WithoutItsVerifyKeyItServesWhatItHasAndTakesNothingNew) {
  const Digest first = controller_->add_release(3);
  controller_->order("lyon", {}, first);
  ASSERT_EQ(status_of(spawn({"enroll", controller_->token("lyon", "pi1")})), 0) << log();
  start();
  const auto serves = [&](const std::map<std::string, Digest>& files) {
    for (const auto& [path, digest] : files) {
      const Answer answer = get(path);
      if (answer.status != 200 || !answer.whole || sha256(as_bytes(answer.body)) != digest)
        return false;
    }
    return true;
  };
  const auto old_files = files_of(first);
  ASSERT_TRUE(eventually([&] { return serves(old_files); })) << log();
  stop();

  const auto key = folder_ / "state" / "identity" / "verify.key";
  std::filesystem::copy_file(key, folder_ / "kept");
  std::ofstream(key) << "torn";
  const std::uint64_t connects = controller_->counts().connects;
  const Digest second = controller_->add_release(3);
  controller_->order("lyon", {}, second);
  start();
  ASSERT_TRUE(eventually([&] {
    return log().find("event=agent.not_enrolled") != std::string::npos;
  })) << log();
  EXPECT_THAT(log(), HasSubstr("event=agent.no_verify_key"));
  EXPECT_TRUE(eventually([&] { return serves(old_files); })) << log();
  EXPECT_THAT(get("/v1/health").body, HasSubstr("No new release is taken"));
  EXPECT_EQ(controller_->counts().connects, connects) << "it asks nobody";

  std::filesystem::copy_file(folder_ / "kept", key,
                             std::filesystem::copy_options::overwrite_existing);
  const auto new_files = files_of(second);
  EXPECT_TRUE(eventually([&] { return serves(new_files); })) << "the key is back: " << log();
  EXPECT_EQ(get("/v1/health").body.find("No new release is taken"), std::string::npos);
}

TEST_F(AgentProcess, AReleaseChangedOnItsDiskIsCountedAndFetchedAgain) {
  const Digest release = controller_->add_release(3);
  controller_->order("lyon", {}, release);
  ASSERT_EQ(status_of(spawn({"enroll", controller_->token("lyon", "pi1")})), 0) << log();
  start();
  const auto files = files_of(release);
  const auto served = [&] { return get(files.begin()->first).status == 200; };
  ASSERT_TRUE(eventually(served)) << log();
  stop();

  {
    const auto database = Database::open((folder_ / "state" / "db").string());
    ASSERT_TRUE(database) << database.error().what;
    const auto state = RocksState::open(**database);
    ASSERT_TRUE(state) << state.error().what;
    std::string changed = (*(*state)->get("catalog/active"))->value;
    changed.replace(changed.find("centos7"), 7, "centos8");
    ASSERT_TRUE((*state)->put("catalog/active", changed));
  }
  start();
  EXPECT_TRUE(eventually(served)) << log();
  EXPECT_THAT(log(), HasSubstr("event=catalog.release_unreadable key=catalog/active"));
  EXPECT_THAT(get("/v1/metrics").body, HasSubstr("\nfarboot_catalog_refused_releases_total 1\n"));
}

TEST_F(AgentProcess, RefusesWhoAnswersForItsControllerAndCountsThem) {
  ASSERT_EQ(status_of(spawn({"enroll", controller_->token("lyon", "pi1")})), 0) << log();
  LinkController impostor;
  auto identity = load_identity(folder_ / "state");
  ASSERT_TRUE(identity) << identity.error().what;
  const std::string address = std::exchange(identity->address, impostor.address());
  ASSERT_TRUE(store_identity(folder_ / "state", *identity));
  start();
  EXPECT_TRUE(eventually([&] {
    return std::regex_search(get("/v1/metrics").body,
                             std::regex("\nfarboot_link_refused_handshakes_total [1-9]"));
  })) << log();
  EXPECT_THAT(get("/v1/metrics").body, HasSubstr("\nfarboot_link_connected 0\n"));
  EXPECT_THAT(log(), HasSubstr("event=rpc.handshake_refused"));
  EXPECT_EQ(impostor.counts().connects, 0U);
  stop();

  identity->address = address;
  ASSERT_TRUE(store_identity(folder_ / "state", *identity));
  start();
  EXPECT_TRUE(eventually([&] { return controller_->online("lyon/pi1"); })) << log();
}

/// As a dying card leaves it: each time the way out is named, and is one.
TEST_F(AgentProcess, ARebuildNamesTheFolderToMoveAwayWhateverBrokeTheDatabase) {
  const std::filesystem::path state = folder_ / "state", db = state / "db";
  std::filesystem::create_directories(state);
  {
    auto database = Database::open(db);
    ASSERT_TRUE(database) << database.error().what;
    PackStoreOptions options;
    options.reserve_bytes = 0;
    auto store = PackStore::open(**database, state / "packs", options);
    ASSERT_TRUE(store) << store.error().what;
    for (std::uint8_t i = 0; i < 200; ++i) {
      const Bytes chunk(100'000, i);
      ASSERT_TRUE((*store)->put(sha256(chunk), chunk));
    }
    ASSERT_TRUE((*database)->flush(Family::chunks));
  }
  const auto files = [&](const std::string& beginning, const std::string& extension) {
    std::vector<std::filesystem::path> out;
    for (const auto& file : std::filesystem::directory_iterator(db))
      if (file.path().filename().string().starts_with(beginning) &&
          file.path().extension() == extension)
        out.push_back(file.path());
    EXPECT_FALSE(out.empty()) << beginning << extension;
    return out;
  };
  const auto rebuilt_after_moving_away = [&](const std::string& what) {
    std::filesystem::resize_file(folder_ / "log", 0);
    EXPECT_EQ(status_of(spawn({"store", "rebuild"})), 1) << what;
    EXPECT_THAT(log(), HasSubstr("move " + db.string() + " away and repeat this")) << what;
    std::filesystem::rename(db, folder_ / what);
    EXPECT_EQ(status_of(spawn({"store", "rebuild"})), 0) << what << log();
    EXPECT_THAT(log(), HasSubstr("packs hold 200 chunks")) << what;
  };
  std::ofstream(folder_ / "log").flush();
  for (const auto& table : files("", ".sst")) {
    std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.write("rotten rotten rotten", 20);
  }
  rebuilt_after_moving_away("a rotten block");
  std::filesystem::remove(db / "CURRENT");
  rebuilt_after_moving_away("no CURRENT");
  for (const auto& manifest : files("MANIFEST-", "")) std::filesystem::remove(manifest);
  rebuilt_after_moving_away("no MANIFEST");
}

TEST_F(AgentProcess, ARebuildWithoutPacksSaysSo) {
  EXPECT_EQ(status_of(spawn({"store", "rebuild"})), 1);
  EXPECT_THAT(log(), HasSubstr("state_dir in the settings says where"));
  std::filesystem::create_directories(folder_ / "state");
  EXPECT_EQ(status_of(spawn({"store", "rebuild"})), 1);
  EXPECT_THAT(log(), HasSubstr("nothing to rebuild from"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state" / "db")) << "and makes nothing";
}

TEST_F(AgentProcess, ListsOfMachinesWithoutDhcpAreWarnedOf) {
  start();
  const auto says = [&](const std::string& what) {
    return [this, what] { return log().find(what) != std::string::npos; };
  };
  ASSERT_TRUE(eventually(says("event=agent.serving"))) << log();
  EXPECT_FALSE(says("event=agent.dhcp_lists_unused")()) << "none is set";
  stop();
  std::ofstream(folder_ / "agent.toml", std::ios::app) << "dhcp_allow = [\"52:54:00\"]\n";
  start();
  EXPECT_TRUE(eventually(says("event=agent.dhcp_lists_unused"))) << log();
}

}  // namespace
}  // namespace farboot
