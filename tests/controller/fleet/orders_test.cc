// Install orders over their whole way: the controller's fleet, and the host books of a site's
// agents that come, go and lose their cards. A machine that was installed is never installed once
// more unless somebody orders it.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "controller/fleet/fleet.h"
#include "controller/pki/enrol.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fallible_state.h"
#include "tests/support/site_bench.h"

namespace farboot {
namespace {

using testing::SiteBench;

const MachineId kMachine{"52:54:00:00:00:01", "", ""};

/// One agent of the site, as the link joins it to the controller.
class Pi {
 public:
  Pi(Fleet& fleet, std::string id) : fleet_(fleet), id_(std::move(id)) { start(); }

  /// Hello, what is desired, and a report.
  void connect() {
    fleet_.on_hello(id_, "lyon", {held_, {}});
    fleet_.on_connected(id_, "lyon");
    const auto desired = fleet_.desired("lyon");
    ASSERT_TRUE(desired);
    ASSERT_TRUE(bench_->run(bench_->book->apply(*desired, id_.substr(id_.find('/') + 1))));
    held_ = desired->number;
    report();
  }
  void report() {
    AgentReport report;
    report.agent = id_;
    report.site = "lyon";
    report.desired_number = held_;
    for (const HostStatus& status : bench_->book->hosts()) {
      HostReport host;
      host.host = status.host;
      host.mac = status.mac;
      host.state = to_string(status.phase);
      host.install_order = status.order;
      host.install_used = status.used;
      report.hosts.push_back(host);
    }
    fleet_.on_report(report);
    ASSERT_TRUE(fleet_.settle_orders());
  }
  /// Another card, empty; or the same one with everything but the identity deleted.
  void lose_card() {
    bench_.reset();
    held_ = 0;
    start();
  }
  void boot() {
    auto attempt = bench_->run(
        bench_->book->begin({kMachine, bench_->catalog.active(), "centos7", false, "10.4.0.31"}));
    ASSERT_TRUE(attempt) << attempt.error().what;
    token_ = (*attempt)->token;
    ASSERT_TRUE(bench_->run(bench_->book->kickstart_served(token_, "10.4.0.31")));
  }
  void finish() {
    ASSERT_TRUE(bench_->run(bench_->book->report(token_, HostBook::Report::installed, "")));
  }
  InstallAnswer answer() const {
    return install_answer(bench_->book->look(kMachine).install, bench_->book->limits());
  }
  bool elsewhere() const { return bench_->book->look(kMachine).elsewhere; }

 private:
  void start() {
    bench_ = std::make_unique<SiteBench>();
    bench_->open();
    bench_->activate(6);
  }

  Fleet& fleet_;
  std::string id_, token_;
  std::uint64_t held_ = 0;
  std::unique_ptr<SiteBench> bench_;
};

class OrdersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SiteWish wish;
    wish.name = "lyon";
    HostWish host;
    host.host.name = "web1";
    host.host.macs = {kMachine.mac};
    host.host.entry = "centos7";
    host.install = true;
    wish.hosts = {host};
    ASSERT_TRUE(normalise_site(wish));
    Transaction transaction;
    ASSERT_TRUE(fleet.put_site(transaction, merge_site(Site{}, wish)));
    ASSERT_TRUE(state.commit(transaction));
  }

  /// As Enrolment keeps it.
  void enrol(const std::string& name) {
    clock.advance(Seconds(60));
    put({.id = "lyon/" + name, .site = "lyon", .name = name, .enrolled = clock.wall()});
  }
  void revoke(const std::string& name) {
    mark_revoked(name);
    fleet.forget_agent("lyon/" + name);
  }
  void mark_revoked(const std::string& name) {
    put({.id = "lyon/" + name, .site = "lyon", .name = name, .revoked = true});
  }
  void put(const AgentRecord& agent) {
    ASSERT_TRUE(state.put("agent/" + agent.id, encode_agent_record(agent)));
  }
  std::string owner() { return fleet.desired("lyon")->orders_agent; }
  std::uint64_t number() { return fleet.desired("lyon")->number; }

  MemoryState memory;
  testing::FallibleState state{memory};
  FakeClock clock;
  SigningKey key = SigningKey::generate();
  Fleet fleet{state, key, clock};
};

TEST_F(OrdersTest, AnAgentWithoutMemoryDoesNotInstallAFinishedMachine) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  pi.boot();
  pi.finish();
  pi.report();
  pi.lose_card();
  pi.connect();
  EXPECT_EQ(pi.answer(), InstallAnswer::nothing);
  ASSERT_TRUE(fleet.order_install("lyon", "web1"));
  pi.connect();
  EXPECT_EQ(pi.answer(), InstallAnswer::start) << "ordered anew";
}

TEST_F(OrdersTest, NorOneThatWasInstalledWhileNobodyCouldHearOfIt) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  pi.boot();
  pi.finish();
  pi.lose_card();
  pi.connect();
  EXPECT_EQ(pi.answer(), InstallAnswer::nothing);
}

TEST_F(OrdersTest, ASecondAgentOfTheSiteDoesNotInstallWhatTheFirstDid) {
  Pi first(fleet, "lyon/pi1");
  Pi second(fleet, "lyon/pi2");
  first.connect();
  second.connect();
  EXPECT_EQ(second.answer(), InstallAnswer::start) << "either may carry it out";
  first.boot();
  first.report();
  second.connect();
  EXPECT_EQ(second.answer(), InstallAnswer::nothing) << "the disk may be touched by now";
  first.finish();
  first.report();
  first.connect();
  EXPECT_EQ(first.answer(), InstallAnswer::nothing);
  Pi third(fleet, "lyon/pi3");
  third.connect();
  EXPECT_EQ(third.answer(), InstallAnswer::nothing) << "added later";
}

TEST_F(OrdersTest, OneAgentCarriesThemOutAlsoWhileTheLineIsCut) {
  enrol("pi2");
  enrol("pi1");
  Pi younger(fleet, "lyon/pi1");
  Pi older(fleet, "lyon/pi2");
  younger.connect();
  EXPECT_EQ(owner(), "pi2") << "enrolled first";
  older.connect();
  EXPECT_EQ(older.answer(), InstallAnswer::start);
  EXPECT_EQ(younger.answer(), InstallAnswer::nothing);
  older.boot();
  older.finish();
  EXPECT_EQ(younger.answer(), InstallAnswer::nothing) << "it has heard nothing of it";
  EXPECT_TRUE(younger.elsewhere());
  older.report();
  younger.connect();
  EXPECT_FALSE(younger.elsewhere());
}

TEST_F(OrdersTest, KeepTheirAgentWhoeverComes) {
  enrol("pi2");
  Pi first(fleet, "lyon/pi2");
  first.connect();
  const std::uint64_t signed_before = number();
  enrol("pi1");
  Pi second(fleet, "lyon/pi1");
  second.connect();
  first.connect();
  EXPECT_EQ(owner(), "pi2");
  EXPECT_EQ(number(), signed_before);
}

TEST_F(OrdersTest, PassToTheNextAgentWhenTheirsIsRevoked) {
  enrol("pi1");
  enrol("pi2");
  enrol("pi3");
  Pi first(fleet, "lyon/pi1");
  Pi next(fleet, "lyon/pi2");
  first.connect();
  next.connect();
  first.boot();
  first.finish();
  revoke("pi1");
  EXPECT_EQ(owner(), "pi2");
  next.connect();
  EXPECT_EQ(next.answer(), InstallAnswer::nothing) << "pi1 may have carried it out unheard";
  EXPECT_FALSE(next.elsewhere());
  ASSERT_TRUE(fleet.order_install("lyon", "web1"));
  next.connect();
  EXPECT_EQ(next.answer(), InstallAnswer::start);
}

TEST_F(OrdersTest, AreNotForgottenWithTheirAgentWhileTheDiskIsFull) {
  enrol("pi1");
  enrol("pi2");
  Pi first(fleet, "lyon/pi1");
  Pi next(fleet, "lyon/pi2");
  first.connect();
  next.connect();
  first.boot();
  first.finish();
  mark_revoked("pi1");
  state.full = true;
  fleet.forget_agent("lyon/pi1");
  EXPECT_TRUE(fleet.reports().agent("lyon/pi1")) << "all that is known of what it took";
  state.full = false;
  next.connect();
  EXPECT_EQ(owner(), "pi2");
  EXPECT_EQ(next.answer(), InstallAnswer::nothing);
  EXPECT_FALSE(fleet.reports().agent("lyon/pi1"));
}

TEST_F(OrdersTest, ThatTheRevokedAgentNeverHeardOfAreTheNextOnes) {
  enrol("pi1");
  enrol("pi2");
  Pi first(fleet, "lyon/pi1");
  first.connect();
  ASSERT_TRUE(fleet.order_install("lyon", "web1"));
  revoke("pi1");
  Pi next(fleet, "lyon/pi2");
  next.connect();
  EXPECT_EQ(next.answer(), InstallAnswer::start);
}

TEST_F(OrdersTest, PassOnAlsoIfTheControllerDiedBeforeItCouldSayBySigning) {
  enrol("pi1");
  enrol("pi2");
  Pi first(fleet, "lyon/pi1");
  first.connect();
  put({.id = "lyon/pi1", .site = "lyon", .name = "pi1", .revoked = true});
  Pi next(fleet, "lyon/pi2");
  next.connect();
  EXPECT_EQ(owner(), "pi2");
  EXPECT_EQ(next.answer(), InstallAnswer::nothing) << "pi1 had taken it";
}

TEST_F(OrdersTest, ANewSitesFirstAgentCarriesOutWhatWaitedForIt) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  EXPECT_EQ(pi.answer(), InstallAnswer::start);
}

TEST_F(OrdersTest, AnAttemptUnderWayGoesOnAsItsOrderIsUsedUp) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  pi.boot();
  pi.report();
  pi.connect();
  EXPECT_EQ(pi.answer(), InstallAnswer::came_back);
  pi.finish();
  EXPECT_EQ(pi.answer(), InstallAnswer::nothing);
}

}  // namespace
}  // namespace farboot
