// Install orders over their whole way: the controller's fleet, and the host books of a site's
// agents that come, go and lose their cards. A machine that was installed is never installed once
// more unless somebody orders it.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "controller/fleet/fleet.h"
#include "tests/support/fake_clock.h"
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
    fleet_.on_hello(id_, "lyon", held_);
    fleet_.on_connected(id_, "lyon");
    const auto desired = fleet_.desired("lyon");
    ASSERT_TRUE(desired);
    ASSERT_TRUE(bench_->run(bench_->book->apply(*desired)));
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
  BootAnswer answer() const {
    return boot_answer(bench_->book->look(kMachine).install, bench_->book->limits());
  }

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

  MemoryState state;
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
  EXPECT_EQ(pi.answer(), BootAnswer::nothing);
  ASSERT_TRUE(fleet.order_install("lyon", "web1"));
  pi.connect();
  EXPECT_EQ(pi.answer(), BootAnswer::start) << "ordered anew";
}

TEST_F(OrdersTest, NorOneThatWasInstalledWhileNobodyCouldHearOfIt) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  pi.boot();
  pi.finish();
  pi.lose_card();
  pi.connect();
  EXPECT_EQ(pi.answer(), BootAnswer::nothing);
}

TEST_F(OrdersTest, ASecondAgentOfTheSiteDoesNotInstallWhatTheFirstDid) {
  Pi first(fleet, "lyon/pi1");
  Pi second(fleet, "lyon/pi2");
  first.connect();
  second.connect();
  EXPECT_EQ(second.answer(), BootAnswer::start) << "either may carry it out";
  first.boot();
  first.report();
  second.connect();
  EXPECT_EQ(second.answer(), BootAnswer::nothing) << "the disk may be touched by now";
  first.finish();
  first.report();
  first.connect();
  EXPECT_EQ(first.answer(), BootAnswer::nothing);
  Pi third(fleet, "lyon/pi3");
  third.connect();
  EXPECT_EQ(third.answer(), BootAnswer::nothing) << "added later";
}

TEST_F(OrdersTest, ANewSitesFirstAgentCarriesOutWhatWaitedForIt) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  EXPECT_EQ(pi.answer(), BootAnswer::start);
}

TEST_F(OrdersTest, AnAttemptUnderWayGoesOnAsItsOrderIsUsedUp) {
  Pi pi(fleet, "lyon/pi1");
  pi.connect();
  pi.boot();
  pi.report();
  pi.connect();
  EXPECT_EQ(pi.answer(), BootAnswer::came_back);
  pi.finish();
  EXPECT_EQ(pi.answer(), BootAnswer::nothing);
}

}  // namespace
}  // namespace farboot
