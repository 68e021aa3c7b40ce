// What the host book does where something was lost, invented or set wrong.
#include "agent/host/host_book.h"

#include <gtest/gtest.h>

#include "tests/agent/host/host_book_fixture.h"

namespace farboot {
namespace {

TEST_F(HostBookTest, DoesNotArmWhatIsUsedUpWhereItRemembersNothing) {
  HostSpec spec = web1(2);
  spec.install_done = 2;
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::idle) << "another card, or another agent, installed it";
  spec.install_order = 3;
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::armed);
}

TEST_F(HostBookTest, DoesNotArmAnUnknownMachineWhereUsedUpIsNotSaid) {
  HostSpec spec = web1(2);
  spec.install_done.reset();
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::idle) << "an older controller: it may be finished";
  spec.install_order = 3;
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::armed) << "an order given since is meant";
}

TEST_F(HostBookTest, DoesNotArmByARecordThatRotted) {
  apply({web1(1)});
  EXPECT_EQ(phase(), InstallPhase::armed);
  bench->settle();
  ASSERT_TRUE(bench->state.put("host/web1", "not json"));
  restart();
  apply({web1(1)});
  EXPECT_EQ(phase(), InstallPhase::idle);
  restart();
  apply({web1(1)});
  EXPECT_EQ(phase(), InstallPhase::idle);
  apply({web1(2)});
  EXPECT_EQ(phase(), InstallPhase::armed);
}

TEST_F(HostBookTest, DisarmsWhatAnotherAgentInstalled) {
  apply({web1(1)});
  HostSpec spec = web1(1);
  spec.install_done = 1;
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::idle);
  EXPECT_EQ(begin(kWeb1).error().code, Errc::conflict);
  restart();
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::idle);
  EXPECT_TRUE(bench->run(book().arm("web1")));
  apply({spec});
  EXPECT_EQ(phase(), InstallPhase::armed)
      << "ordered here: no number of the centre's takes it back";
}

TEST_F(HostBookTest, TellsAnOrderUsedUpOnceTheDiskMayBeTouched) {
  const std::string token = begin_web1();
  EXPECT_EQ(book().hosts().front().order, 1u);
  EXPECT_EQ(book().hosts().front().used, 0u) << "only the script went out";
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "10.4.0.31")));
  EXPECT_EQ(book().hosts().front().used, 1u);
  EXPECT_EQ(book().pending_events(9).back().status.used, 1u);
  apply({web1(2)});
  EXPECT_EQ(book().hosts().front().order, 2u) << "taken, for when this one is over";
  EXPECT_EQ(book().hosts().front().used, 1u);
  restart();
  EXPECT_EQ(book().hosts().front().used, 1u);
  HostSpec told = web1(2);
  told.install_done = 1;
  apply({told});
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "")));
  EXPECT_EQ(phase(), InstallPhase::armed);
}

/// A Pi that moves: the other site's web1 is another machine, with orders of its own.
TEST_F(HostBookTest, ForgetsTheSiteItLeft) {
  EXPECT_EQ(book().site().name, "");
  HostSpec waiting = web1(3);
  waiting.name = "web2";
  waiting.macs = {"52:54:00:00:00:02"};
  begin_web1();
  apply({web1(3), waiting});
  EXPECT_EQ(phase({"52:54:00:00:00:02", "", ""}), InstallPhase::armed);
  EXPECT_NE(story(), "");
  EXPECT_EQ(book().site().name, "lyon");

  const MachineId other{"52:54:00:00:00:77", "", ""};
  HostSpec spec = web1(0);
  spec.macs = {other.mac};
  spec.uuid.clear();
  spec.serial.clear();
  const auto move = [&] {
    DesiredState oslo = lyon({spec});
    oslo.site = "oslo";
    ASSERT_TRUE(bench->run(book().apply(oslo)));
  };
  for (int life = 0; life < 2; ++life) {
    move();
    EXPECT_EQ(book().site().name, "oslo");
    EXPECT_EQ(phase(other), InstallPhase::idle) << "nobody ordered this one";
    EXPECT_FALSE(book().look(kWeb1).known);
    EXPECT_EQ(book().hosts().size(), 1U);
    EXPECT_EQ(story(), "");
    EXPECT_FALSE(begin(other)) << "no order";
    restart();
  }
  spec.install_order = 1;
  move();
  EXPECT_EQ(phase(other), InstallPhase::armed) << "its first order is not lyon's fourth";
}

TEST_F(HostBookTest, WritesNothingWhereTheSameIsDesiredAgain) {
  apply({web1(1)});
  bench->settle();
  restart();
  const auto before = bench->state.get("host/web1")->value().revision;
  apply({web1(1)});
  bench->settle();
  EXPECT_EQ(bench->state.get("host/web1")->value().revision, before);
}

TEST_F(HostBookTest, NumbersOnFromWhatTheControllerKnows) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().acknowledge(40)));
  EXPECT_EQ(story(), "41 web1 armed\n42 web1 started\n") << "none of them is among the 40";
  restart();
  EXPECT_EQ(story(), "41 web1 armed\n42 web1 started\n");
  ASSERT_TRUE(bench->run(book().acknowledge(42)));
  restart();
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::failed, "x")));
  ASSERT_TRUE(bench->run(book().acknowledge(50)));
  restart();
  apply({web1(2)});
  EXPECT_EQ(story(), "51 web1 failed\n52 web1 armed\n");
}

TEST_F(HostBookTest, KnowsItsSiteAfterARestart) {
  DesiredState desired = lyon({web1(0)});
  desired.limits.installs_at_once_max = 3;
  ASSERT_TRUE(bench->run(book().apply(desired)));
  restart();
  EXPECT_EQ(book().site().name, "lyon");
  EXPECT_EQ(book().site().variables.at("domain"), "lyon.test") << "before the link is up";
  EXPECT_EQ(book().installs_at_once_max(), 3u);
}

TEST_F(HostBookTest, KeepsWithAnAttemptWhatItsTemplatesNeed) {
  const std::string token = begin_web1();
  DesiredState later = lyon({web1()}, 2);
  later.variables = {{"zone", "lyon.test"}};
  later.hosts.front().variables.clear();
  ASSERT_TRUE(bench->run(book().apply(later)));
  restart();
  const auto attempt = book().attempt(token).attempt;
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->site.name, "lyon");
  EXPECT_EQ(attempt->site.variables.at("domain"), "lyon.test");
  EXPECT_EQ(attempt->host.name, "web1");
  EXPECT_EQ(attempt->host.variables.at("role"), "web");
}

TEST_F(HostBookTest, KnowsThatAnotherKickstartIsAsked) {
  apply({web1()});
  HostBook::Begin order{kWeb1, bench->catalog.active(), "centos7", false, "10.4.0.31"};
  order.kickstart = HostBook::Kickstart::elsewhere;
  auto attempt = bench->run(book().begin(order));
  ASSERT_TRUE(attempt);
  EXPECT_FALSE((*attempt)->traits.has_kickstart);
  EXPECT_FALSE((*attempt)->traits.reports);
  fetch("images/pxeboot/initrd.img");
  EXPECT_TRUE(book().look(kWeb1).install.touched) << "ours never goes out: this is all that tells";
}

TEST_F(HostBookTest, LetsFewStrangersInFromOneAddress) {
  const auto begin_at = [&](int number, const std::string& client) {
    const MachineId id{fmt::format("52:54:00:00:02:{:02x}", number), "", ""};
    return bench->run(book().begin({id, bench->catalog.active(), "centos7", true, client}));
  };
  const int most = static_cast<int>(HostBook::kStrangersPerClient);
  for (int i = 0; i < most; ++i) ASSERT_TRUE(begin_at(i, "10.4.0.66"));
  EXPECT_EQ(begin_at(most, "10.4.0.66").error().code, Errc::exhausted);
  EXPECT_TRUE(begin_at(0, "10.4.0.66")) << "one that is there already may choose anew";
  EXPECT_TRUE(begin_at(most, "10.4.0.67"));
  apply({web1()});
  EXPECT_TRUE(
      bench->run(book().begin({kWeb1, bench->catalog.active(), "centos7", false, "10.4.0.66"})))
      << "a host with a name is not counted";
  bench->clock.pass(HostSettings{}.quiet_max + Seconds(1));
  EXPECT_TRUE(begin_at(most + 1, "10.4.0.66")) << "they were not heard of since";
}

TEST_F(HostBookTest, KeepsRoomForHostsWithAName) {
  DesiredState desired = lyon({web1()});
  desired.limits.installs_at_once_max = 4;
  ASSERT_TRUE(bench->run(book().apply(desired)));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(book().has_room(HostBook::Whose::stranger)) << i;
    const MachineId id{fmt::format("52:54:00:00:02:{:02x}", i), "", ""};
    ASSERT_TRUE(bench->run(book().begin({id, bench->catalog.active(), "centos7", true, "c"})));
  }
  EXPECT_FALSE(book().has_room(HostBook::Whose::stranger)) << "half of the site's";
  EXPECT_TRUE(book().has_room(HostBook::Whose::named));
  EXPECT_EQ(book().running().strangers, 2u);
  EXPECT_EQ(book().running().named, 0u);
}

TEST_F(HostBookTest, DoesNotExpireAnInstallByASetClock) {
  const std::string token = begin_web1();
  bench->clock.set_wall(Seconds(30 * 24 * 3600));
  restart(Seconds(5));
  EXPECT_TRUE(book().attempt(token).attempt);
  EXPECT_EQ(book().look(kWeb1).install.age, Seconds(5))
      << "within one boot the steady clock counts";
  bench->clock.set_wall(Seconds(30 * 24 * 3600));
  boot_id = "another boot";
  restart();
  EXPECT_TRUE(book().attempt(token).attempt);
  EXPECT_LE(book().look(kWeb1).install.age, Seconds(2 * 3600));
}

/// Their MACs sort before every name.
TEST_F(HostBookTest, TellsOfNamedMachinesBeforeStrangersOfNewStrangersFirst) {
  apply({web1()});
  for (const char* mac : {"52:54:00:00:00:97", "52:54:00:00:00:98", "52:54:00:00:00:96"}) {
    ASSERT_TRUE(begin({mac, "", ""}, true));
    bench->clock.pass(Seconds(60));
  }
  std::vector<std::string> told;
  for (const HostStatus& host : book().hosts())
    told.push_back(host.host.substr(host.host.size() - 2));
  EXPECT_EQ(told, (std::vector<std::string>{"b1", "96", "98", "97"}));
}

}  // namespace
}  // namespace farboot
