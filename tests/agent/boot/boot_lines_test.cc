// Anybody on the LAN can ask without end: what is asked is answered, what is logged is counted.
#include "tests/agent/boot/boot_service_fixture.h"
#include "tests/support/logged.h"

namespace farboot {
namespace {

using testing::Logged;

constexpr int kRackBurst = 1000, kBurst = 60;

std::string invented(int i) { return fmt::format("52:54:01:00:{:02x}:{:02x}", i / 256, i % 256); }

class BootLinesTest : public BootServiceTest {
 protected:
  /// The first line after a while says how many there were not.
  void expect_left_out(const std::string& lines, const std::string& event, int left_out) {
    EXPECT_NE(lines.find(fmt::format("event={} ", event)), std::string::npos);
    EXPECT_NE(lines.find(fmt::format("left_out={}\n", left_out)), std::string::npos) << lines;
  }
};

TEST_F(BootLinesTest, DecisionsForInventedMachinesAreCounted) {
  Logged logged;
  for (int i = 0; i < kRackBurst + 200; ++i) script(machine(invented(i)));
  EXPECT_EQ(Logged::count(logged.take(), "boot.decided"), kRackBurst);
  bench->clock.pass(Seconds(1));
  script();
  expect_left_out(logged.take(), "boot.decided", 200);
}

TEST_F(BootLinesTest, InventedMachinesDoNotHideThoseOfTheSite) {
  apply({web1()});
  Logged logged;
  for (int i = 0; i < kRackBurst + 200; ++i) script(machine(invented(i)));
  script();
  EXPECT_NE(logged.take().find("event=boot.decided mac=52:54:00:00:00:01 host=web1 "),
            std::string::npos);
}

TEST_F(BootLinesTest, InstallsOfInventedMachinesDoNotHideThoseOfTheSite) {
  apply({web1()});
  bench->state.full = true;
  Logged logged;
  for (int i = 0; i < kBurst + 20; ++i) ASSERT_TRUE(choose("centos7", machine(invented(i))));
  EXPECT_EQ(Logged::count(logged.take(), "boot.start_refused"), kBurst);
  script();
  EXPECT_NE(logged.take().find("event=boot.start_refused mac=52:54:00:00:00:01 "),
            std::string::npos);
}

TEST_F(BootLinesTest, ChoicesAreCounted) {
  Logged logged;
  for (int i = 0; i < kRackBurst + 100; ++i) ASSERT_TRUE(choose("shell", machine(invented(i))));
  EXPECT_EQ(Logged::count(logged.take(), "boot.chosen"), kRackBurst);
  bench->clock.pass(Seconds(1));
  ASSERT_TRUE(choose("shell", machine()));
  expect_left_out(logged.take(), "boot.chosen", 100);
}

TEST_F(BootLinesTest, KickstartsAskedForAndDeniedAreCounted) {
  apply({web1()});
  const std::string token = token_in(script());
  Logged logged;
  for (int i = 0; i < kBurst + 20; ++i)
    EXPECT_EQ(kickstart(token, {invented(i)}).error().code, Errc::denied);
  EXPECT_EQ(Logged::count(logged.take(), "boot.kickstart_denied"), kBurst);
  for (int i = 0; i < kRackBurst + 20; ++i) ASSERT_TRUE(kickstart(token));
  EXPECT_EQ(Logged::count(logged.take(), "boot.kickstart"), kRackBurst);
}

TEST_F(BootLinesTest, WhatCannotBeWrittenIsSaidNowAndThen) {
  apply({web1()});
  bench->state.full = true;
  Logged logged;
  for (int i = 0; i < kBurst + 20; ++i) EXPECT_FALSE(installs_now(script()));
  const std::string lines = logged.take();
  EXPECT_EQ(Logged::count(lines, "boot.start_refused"), kBurst);
  EXPECT_EQ(Logged::count(lines, "host.write_failed"), kBurst);
  bench->clock.pass(Seconds(1));
  EXPECT_FALSE(installs_now(script()));
  expect_left_out(logged.take(), "host.write_failed", 20);
}

TEST_F(BootLinesTest, ATemplateThatDoesNotRenderIsSaidNowAndThen) {
  Release release = testing::centos_release(7, bench->put_tree(1));
  release.menu.title = "{{nobody.knows}}";
  release.entries[1].kind = EntryKind::tool;
  release.entries[1].args = std::string(3000, 'a');
  bench->activate(release);
  Logged logged;
  for (int i = 0; i < kBurst + 20; ++i) script(machine(invented(i)));
  EXPECT_EQ(Logged::count(logged.take(), "boot.render_failed"), kBurst);
  for (int i = 0; i < kBurst + 20; ++i) ASSERT_TRUE(choose("quiet", machine(invented(1))));
  EXPECT_EQ(Logged::count(logged.take(), "boot.arguments_long"), kBurst);
}

}  // namespace
}  // namespace farboot
