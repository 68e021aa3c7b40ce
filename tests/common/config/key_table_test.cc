#include "common/config/key_table.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace farboot {
namespace {

enum class Mode {
  proxy,
  observe,
  off
};

struct Settings {
  std::string name = "pi1";
  std::string state_dir = "/var/lib/farboot";
  bool eager = false;
  std::uint16_t http_port = 80;
  std::uint64_t budget = 512u << 20;
  Seconds idle{30};
  Milliseconds beat{250};
  std::vector<std::string> interfaces;
  Mode mode = Mode::proxy;
  int depth = 1;
};

KeyTable keys_of(Settings& s) {
  KeyTable keys;
  keys.text("name", s.name, "what people call it", [](std::string_view text) -> Result<void> {
    if (text.find(' ') == std::string_view::npos) return {};
    return fail(Errc::invalid, "{}: holds a blank", text);
  });
  keys.path("state_dir", s.state_dir, "where everything is kept");
  keys.flag("eager", s.eager, "check at once");
  keys.integer("http_port", s.http_port, {1, 65535}, "port installers fetch from");
  keys.byte_size("store_budget_bytes", s.budget, {.min = 1u << 20}, "most the store may take");
  keys.duration("idle", s.idle, {Seconds(1), Seconds(3600)}, "closes an idle connection");
  keys.duration("beat", s.beat, {}, "how often it says it lives");
  keys.list("interfaces", s.interfaces, "network interfaces; none: all");
  keys.one_of("dhcp_mode", s.mode,
              {{"proxy", Mode::proxy}, {"observe", Mode::observe}, {"off", Mode::off}},
              "how PXE clients are answered");
  keys.integer("tuning.depth", s.depth, {0, 10}, "look-ahead");
  return keys;
}

TEST(KeyTable, FillsEveryTypeOfField) {
  Settings s;
  auto loaded = keys_of(s).load_text(R"(
name = "pi2"
state_dir = "/srv/./farboot"
eager = true
http_port = 8080
store_budget_bytes = "80GB"
idle = "5m"
beat = "1500ms"
interfaces = ["eth0", "eth1"]
dhcp_mode = "observe"
[tuning]
depth = 7
)",
                                     "agent.toml");
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(s.name, "pi2");
  EXPECT_EQ(s.state_dir, "/srv/farboot");
  EXPECT_TRUE(s.eager);
  EXPECT_EQ(s.http_port, 8080);
  EXPECT_EQ(s.budget, 80'000'000'000u);
  EXPECT_EQ(s.idle, Seconds(300));
  EXPECT_EQ(s.beat, Milliseconds(1500));
  EXPECT_EQ(s.interfaces, (std::vector<std::string>{"eth0", "eth1"}));
  EXPECT_EQ(s.mode, Mode::observe);
  EXPECT_EQ(s.depth, 7);
}

TEST(KeyTable, LeavesDefaultsWhereTheFileIsSilent) {
  Settings s;
  ASSERT_TRUE(keys_of(s).load_text("http_port = 81\n", "agent.toml"));
  EXPECT_EQ(s.http_port, 81);
  EXPECT_EQ(s.name, "pi1");
  EXPECT_EQ(s.mode, Mode::proxy);
  EXPECT_EQ(s.idle, Seconds(30));
}

TEST(KeyTable, ReportsEverythingWrongAtOnceWithItsLine) {
  Settings s;
  auto refused = keys_of(s).load_text(R"(http_prot = 80
http_port = 70000
name = "two words"
eager = "yes"
store_budget_bytes = "1kB"
idle = 10
beat = "10"
interfaces = [1]
dhcp_mode = "prxy"
state_dir = ""
tuning.depth = -1
tuning.width = 3
later = 1.5
)",
                                      "agent.toml");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid);
  EXPECT_EQ(refused.error().what,
            "agent.toml:1: http_prot: no such key; did you mean http_port?\n"
            "agent.toml:2: http_port: 70000 is out of range: 1 to 65535\n"
            "agent.toml:3: name: two words: holds a blank\n"
            "agent.toml:4: eager: must be true or false\n"
            "agent.toml:5: store_budget_bytes: 1kB is out of range: 1MiB to 9223372036854775807\n"
            "agent.toml:6: idle: must be a duration in quotes: \"10s\", \"5m\"\n"
            "agent.toml:7: beat: 10 is no duration: write it like 500ms, 10s, 5m, 1h30m or 7d\n"
            "agent.toml:8: interfaces: a list may hold only strings\n"
            "agent.toml:9: dhcp_mode: \"prxy\" is none of: proxy, observe, off\n"
            "agent.toml:10: state_dir: must not be empty\n"
            "agent.toml:11: tuning.depth: -1 is out of range: 0 to 10\n"
            "agent.toml:12: tuning.width: no such key; did you mean tuning.depth?\n"
            "agent.toml:13: later: no such key");
  EXPECT_EQ(s.http_port, 80);
}

TEST(KeyTable, RefusesADurationFinerThanItsField) {
  Settings s;
  auto refused = keys_of(s).load_text("idle = \"1500ms\"", "a");
  EXPECT_EQ(refused.error().what, "a:1: idle: 1500ms is too fine: whole multiples of 1s");
}

TEST(KeyTable, SaysWhereTheSyntaxIsWrong) {
  Settings s;
  auto refused = keys_of(s).load_text("http_port = 80\nname = pi1\n", "agent.toml");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().what.starts_with("agent.toml:2: ")) << refused.error().what;
}

TEST(KeyTable, AsksForARequiredKey) {
  std::string token;
  KeyTable keys;
  keys.text("token", token, "what to enrol with").required();
  EXPECT_EQ(keys.load_text("", "a.toml").error().what,
            "a.toml: token: missing: what to enrol with");
  EXPECT_TRUE(keys.load_text("token = \"x\"", "a.toml"));
}

TEST(KeyTable, ReadsAFileAndTakesRelativePathsFromItsFolder) {
  std::string folder = ::testing::TempDir() + "config-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/agent.toml";
  std::ofstream(path) << "state_dir = \"state/../data\"\n";
  Settings s;
  auto loaded = keys_of(s).load_file(path);
  EXPECT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(s.state_dir, folder + "/data");
  EXPECT_EQ(keys_of(s).load_file(folder + "/none.toml").error().code, Errc::not_found);
  std::filesystem::remove_all(folder);
}

TEST(KeyTable, MakesHelpAndDocumentationFromTheRows) {
  Settings s;
  const KeyTable keys = keys_of(s);
  EXPECT_NE(keys.help().find("  http_port = 80 "), std::string::npos) << keys.help();
  EXPECT_NE(keys.help().find("port installers fetch from (number 1 to 65535)"), std::string::npos);
  EXPECT_NE(keys.help().find("store_budget_bytes = \"512MiB\""), std::string::npos);
  EXPECT_NE(
      keys.markdown().find("| `dhcp_mode` | `\"proxy\"` | one of proxy, observe, off | how PXE "
                           "clients are answered |\n"),
      std::string::npos)
      << keys.markdown();
}

}  // namespace
}  // namespace farboot
