#include "controller/fleet/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/store/memory_state.h"
#include "controller/fleet/releases_before.h"
#include "controller/fleet/removed_site.h"
#include "tests/support/fake_clock.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FleetTest : public ::testing::Test {
 protected:
  void put(const SiteWish& wish) {
    SiteWish good = wish;
    ASSERT_TRUE(normalise_site(good));
    auto before = fleet_.site(wish.name);
    Transaction transaction;
    const auto put = fleet_.put_site(transaction, merge_site(before ? *before : Site{}, good));
    ASSERT_TRUE(put) << put.error().what;
    if (!transaction.writes.empty()) {
      ASSERT_TRUE(state_.commit(transaction));
    }
  }
  SiteWish lyon() {
    SiteWish wish;
    wish.name = "lyon";
    wish.variables = {{"gateway", "10.0.0.1"}};
    HostWish host;
    host.host.name = "web1";
    host.host.macs = {"52:54:00:00:00:01"};
    host.host.entry = "c7";
    host.install = true;
    wish.hosts = {host};
    return wish;
  }
  SignedDocument stored() {
    const auto entry = state_.get("desired/lyon");
    return *decode_signed(as_bytes((*entry)->value));
  }

  std::optional<std::uint64_t> done() { return fleet_.desired("lyon")->hosts[0].install_done; }
  static AgentReport report_of(const std::string& agent, HostReport host) {
    AgentReport report;
    report.agent = agent;
    report.site = "lyon";
    report.desired_number = 3;
    report.hosts = {std::move(host)};
    return report;
  }

  MemoryState state_;
  FakeClock clock_;
  SigningKey key_ = SigningKey::generate();
  Fleet fleet_{state_, key_, clock_};
};

TEST_F(FleetTest, WritesDownWhichOrdersAreUsedUp) {
  put(lyon());
  EXPECT_EQ(done(), 0u) << "never installed, and known to be";
  HostReport web1{.host = "web1", .state = "packages", .install_order = 1, .install_used = 1};
  fleet_.on_report(report_of("lyon/pi1", web1));
  ASSERT_TRUE(fleet_.settle_orders());
  EXPECT_EQ(done(), 1u);
  const auto number = fleet_.desired("lyon")->number;
  fleet_.on_report(report_of("lyon/pi2", {.host = "web1", .state = "idle", .install_order = 1}));
  fleet_.on_report(report_of("lyon/pi1", web1));
  ASSERT_TRUE(fleet_.settle_orders());
  EXPECT_EQ(fleet_.desired("lyon")->number, number) << "nothing new";
  put(lyon());
  EXPECT_EQ(done(), 1u) << "apply does not take it back";
  EXPECT_EQ(fleet_.order_install("lyon", "web1")->install_order, 2u);
  EXPECT_EQ(done(), 1u);
  Fleet again(state_, key_, clock_);
  EXPECT_EQ(again.desired("lyon")->hosts[0].install_done, 1u) << "durable";
}

TEST_F(FleetTest, TakesOrdersUsedUpFromEventsAndIgnoresStrangers) {
  put(lyon());
  fleet_.on_hosts("lyon", {{.host = "web1", .install_used = 1}, {.host = "x", .install_used = 1}});
  fleet_.on_hosts("gone", {{.host = "web1", .install_used = 1}});
  ASSERT_TRUE(fleet_.settle_orders());
  EXPECT_EQ(done(), 1u);
  EXPECT_FALSE(fleet_.site("lyon")->done.contains("x"));
}

TEST_F(FleetTest, CountsTheOrdersOfAnAgentThatForgotAsUsedUp) {
  put(lyon());
  const HostReport armed{.host = "web1", .state = "armed", .install_order = 1};
  fleet_.on_report(report_of("lyon/pi1", armed));
  fleet_.on_hello("lyon/pi1", "lyon", {3, {}});
  EXPECT_EQ(done(), 0u) << "it remembers";
  fleet_.on_hello("lyon/pi2", "lyon", {0, {}});
  EXPECT_EQ(done(), 0u) << "another one, never seen before";
  fleet_.on_hello("lyon/pi1", "lyon", {0, {}});
  EXPECT_EQ(done(), 1u) << "it may have carried it out while nobody could hear of it";
  EXPECT_EQ(fleet_.order_install("lyon", "web1")->install_order, 2u);
  fleet_.on_report(report_of("lyon/pi1", {.host = "web1", .state = "armed", .install_order = 2}));
  fleet_.forget_agent("lyon/pi1");
  EXPECT_EQ(done(), 2u) << "revoked: it may carry it out and never be heard";
}

TEST_F(FleetTest, CountsOrdersThatTheLostAgentHadHeardOfAsUsedUpListedOrNot) {
  put(lyon());
  AgentReport report = report_of("lyon/pi1", {.host = "52:54:00:00:00:99", .state = "done"});
  report.desired_number = fleet_.desired("lyon")->number;
  fleet_.on_report(report);
  fleet_.on_hello("lyon/pi1", "lyon", {0, {}});
  EXPECT_EQ(done(), 1u) << "its report had no room for web1";
  fleet_.on_report(report);
  EXPECT_EQ(fleet_.order_install("lyon", "web1")->install_order, 2u);
  fleet_.forget_agent("lyon/pi1");
  EXPECT_EQ(done(), 1u) << "given in a desired state that it never held";
}

TEST_F(FleetTest, SignsAboveWhatAnAgentHoldsAfterItWasPutBackFromAnOlderCopy) {
  put(lyon());
  const DesiredState before = *fleet_.desired("lyon");
  const HeldState same{before.number, stored().digest()};
  fleet_.on_hello("lyon/pi1", "lyon", {before.number, {}});
  fleet_.on_hello("lyon/pi1", "lyon", same);
  EXPECT_EQ(fleet_.desired("lyon")->number, before.number) << "nothing is wrong";
  fleet_.on_hello("lyon/pi1", "lyon", {before.number + 8, sha256({})});
  DesiredState above = *fleet_.desired("lyon");
  EXPECT_EQ(above.number, before.number + 9);
  ASSERT_TRUE(key_.verify_key().verify(DocumentKind::desired_state, stored()));
  fleet_.on_hello("lyon/pi2", "lyon", {above.number, sha256({})});
  EXPECT_EQ(fleet_.desired("lyon")->number, above.number + 1) << "another one of that number";
  above.number = before.number;
  above.issued = before.issued;
  EXPECT_EQ(above, before) << "the same content";
  const auto number = fleet_.desired("lyon")->number;
  fleet_.on_hello("lyon/pi1", "lyon", {number + 1'000'001, {}});
  fleet_.on_hello("lyon/pi1", "lyon", {UINT64_MAX, {}});
  EXPECT_EQ(fleet_.desired("lyon")->number, number) << "it lies";
}

TEST_F(FleetTest, KnowsOfARemovedSiteWhichOrdersAreUsedUp) {
  put(lyon());
  fleet_.on_hosts("lyon", {{.host = "web1", .install_used = 1}});
  ASSERT_TRUE(fleet_.settle_orders());
  Transaction removal;
  ASSERT_TRUE(fleet_.remove_site(removal, *fleet_.site("lyon")));
  ASSERT_TRUE(state_.commit(removal));
  SiteWish back = lyon();
  ASSERT_TRUE(normalise_site(back));
  const Site site = merge_site(*removed_site(state_, "lyon"), back);
  EXPECT_EQ(site.hosts[0].install_order, 1u);
  EXPECT_EQ(site.hosts[0].install_done, 1u);
}

TEST_F(FleetTest, OrdersBeyondWhatASiteHasSeen) {
  put(lyon());
  fleet_.on_hosts("lyon", {{.host = "web1", .install_used = 7}});
  ASSERT_TRUE(fleet_.settle_orders());
  EXPECT_EQ(fleet_.order_install("lyon", "web1")->install_order, 8u)
      << "a controller put back from an old copy";
}

TEST_F(FleetTest, SaysNotKnownOfOrdersFromBefore) {
  put(lyon());
  auto stored = state_.get("site/lyon")->value().value;
  const auto at = stored.find(",\"done\":{\"web1\":0}");
  const auto first = stored.find("\"done\":{\"web1\":0},");
  ASSERT_TRUE(at != std::string::npos || first != std::string::npos) << stored;
  stored.erase(at != std::string::npos ? at : first, std::string(",\"done\":{\"web1\":0}").size());
  ASSERT_TRUE(state_.put("site/lyon", stored));
  EXPECT_FALSE(fleet_.site("lyon")->hosts[0].install_done);
  EXPECT_EQ(fleet_.order_install("lyon", "web1")->install_order, 2u);
  EXPECT_FALSE(done()) << "an agent without memory must not carry it out";
}

TEST_F(FleetTest, SignsADesiredStateForANewSite) {
  put(lyon());
  const auto desired = fleet_.desired("lyon");
  ASSERT_TRUE(desired) << desired.error().what;
  EXPECT_EQ(desired->number, 1u);
  EXPECT_EQ(desired->site, "lyon");
  EXPECT_FALSE(desired->serve) << "nothing is served before a rollout";
  EXPECT_EQ(desired->hosts[0].install_order, 1u);
  EXPECT_EQ(desired->variables.at("gateway"), "10.0.0.1");
  EXPECT_TRUE(key_.verify_key().verify(DocumentKind::desired_state, stored()));
}

TEST_F(FleetTest, SignsNothingThatCannotBeReadBack) {
  put(lyon());
  Site long_one = *fleet_.site("lyon");
  for (int i = 0; i < 200; ++i)
    long_one.variables[fmt::format("v{}", i)] = std::string(kVariableBytesMax, 'x');
  Transaction transaction;
  const auto refused = fleet_.put_site(transaction, long_one);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
  EXPECT_THAT(refused.error().what, HasSubstr("site lyon: its desired state would be"));
  // Past the checks of the site itself: the decoder has the last word.
  Site odd = *fleet_.site("lyon");
  odd.hosts[0].serial = "ABC\n";
  EXPECT_EQ(fleet_.put_site(transaction, odd).error().code, Errc::invalid);
  EXPECT_TRUE(fleet_.desired("lyon"));
}

TEST_F(FleetTest, NumbersEveryChangeAndOnlyChanges) {
  put(lyon());
  put(lyon());
  EXPECT_EQ(fleet_.desired("lyon")->number, 1u) << "the same again is no change";
  SiteWish changed = lyon();
  changed.limits.wan_bytes_per_second = 1000;
  put(changed);
  EXPECT_EQ(fleet_.desired("lyon")->number, 2u);
  changed.labels = {{"tier", "canary"}};
  put(changed);
  EXPECT_EQ(fleet_.desired("lyon")->number, 2u) << "labels are not the agent's business";
  EXPECT_EQ(fleet_.site("lyon")->labels.at("tier"), "canary");
}

TEST_F(FleetTest, OrdersReleasesWithoutTouchingHosts) {
  put(lyon());
  const Digest release = sha256(as_bytes("r1"));
  Transaction transaction;
  ASSERT_TRUE(fleet_.order_releases(transaction, "lyon", {release, std::nullopt}));
  ASSERT_TRUE(state_.commit(transaction));
  const auto desired = fleet_.desired("lyon");
  EXPECT_EQ(desired->number, 2u);
  EXPECT_EQ(desired->stage, release);
  EXPECT_EQ(desired->hosts.size(), 1u);
  put(lyon());
  EXPECT_EQ(fleet_.desired("lyon")->stage, release) << "and hosts without touching releases";
  Transaction nowhere;
  EXPECT_EQ(fleet_.order_releases(nowhere, "nice", {}).error().code, Errc::not_found);
}

TEST_F(FleetTest, RemembersWhichReleasesASiteWasToHave) {
  put(lyon());
  const Digest a = sha256(as_bytes("a")), b = sha256(as_bytes("b"));
  const auto order = [&](const Fleet::Releases& releases) {
    Transaction transaction;
    ASSERT_TRUE(fleet_.order_releases(transaction, "lyon", releases));
    ASSERT_TRUE(state_.commit(transaction));
  };
  order({.stage = {}, .serve = a});
  EXPECT_THAT(*releases_before(state_, "lyon"), IsEmpty());
  order({.stage = b, .serve = a});
  EXPECT_THAT(*releases_before(state_, "lyon"), ElementsAre(a));
  order({.stage = {}, .serve = b});
  EXPECT_THAT(*releases_before(state_, "lyon"), ElementsAre(a, b));
  ASSERT_TRUE(fleet_.order_install("lyon", "web1"));
  EXPECT_THAT(*releases_before(state_, "lyon"), ElementsAre(a, b)) << "that is another matter";
  order({.stage = {}, .serve = a});
  EXPECT_THAT(*releases_before(state_, "lyon"), ElementsAre(b, a)) << "each once, the last first";
}

TEST_F(FleetTest, TwoChangesAtOnceDoNotBothWin) {
  put(lyon());
  Transaction one, two;
  ASSERT_TRUE(fleet_.order_releases(one, "lyon", {sha256(as_bytes("a")), std::nullopt}));
  ASSERT_TRUE(fleet_.order_releases(two, "lyon", {sha256(as_bytes("b")), std::nullopt}));
  ASSERT_TRUE(state_.commit(one));
  EXPECT_EQ(state_.commit(two).error().code, Errc::conflict);
}

TEST_F(FleetTest, InstallsOnceMorePerOrder) {
  put(lyon());
  const auto ordered = fleet_.order_install("lyon", "web1");
  ASSERT_TRUE(ordered) << ordered.error().what;
  EXPECT_EQ(ordered->install_order, 2u);
  EXPECT_EQ(fleet_.desired("lyon")->hosts[0].install_order, 2u);
  put(lyon());
  EXPECT_EQ(fleet_.desired("lyon")->hosts[0].install_order, 2u) << "apply does not take it back";
  EXPECT_EQ(fleet_.order_install("lyon", "web9").error().code, Errc::not_found);
}

TEST_F(FleetTest, RefusesToInstallNothing) {
  SiteWish wish = lyon();
  wish.hosts[0].host.entry = "";
  wish.hosts[0].install = false;
  put(wish);
  const auto ordered = fleet_.order_install("lyon", "web1");
  ASSERT_FALSE(ordered);
  EXPECT_EQ(ordered.error().code, Errc::invalid);
  EXPECT_THAT(ordered.error().what, HasSubstr("--entry"));
}

TEST_F(FleetTest, ConcurrentOrdersAllCount) {
  put(lyon());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { EXPECT_TRUE(fleet_.order_install("lyon", "web1")); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fleet_.desired("lyon")->hosts[0].install_order, 5u);
  EXPECT_EQ(fleet_.desired("lyon")->number, 5u);
}

TEST_F(FleetTest, SetsAndAddsHosts) {
  put(lyon());
  Fleet::HostChange change;
  change.entry = "";
  change.variables = {{"ip", "10.0.0.9"}};
  const auto set = fleet_.set_host("lyon", "web1", change);
  ASSERT_TRUE(set) << set.error().what;
  EXPECT_EQ(set->entry, "");
  EXPECT_EQ(set->install_order, 1u);
  EXPECT_EQ(fleet_.desired("lyon")->hosts[0].variables.at("ip"), "10.0.0.9");
  Fleet::HostChange added;
  added.macs = {"52-54-00-00-00-02"};
  ASSERT_TRUE(fleet_.set_host("lyon", "web2", added));
  EXPECT_EQ(fleet_.desired("lyon")->hosts[1].macs[0], "52:54:00:00:00:02");
  EXPECT_FALSE(fleet_.set_host("lyon", "web3", {})) << "nothing to know it by";
  Fleet::HostChange taken;
  taken.macs = {"52:54:00:00:00:01"};
  EXPECT_FALSE(fleet_.set_host("lyon", "web2", taken));
}

TEST_F(FleetTest, ASiteThatComesBackGoesOnCounting) {
  put(lyon());
  Transaction transaction;
  ASSERT_TRUE(fleet_.remove_site(transaction, *fleet_.site("lyon")));
  ASSERT_TRUE(state_.commit(transaction));
  EXPECT_EQ(fleet_.site("lyon").error().code, Errc::not_found);
  put(lyon());
  EXPECT_EQ(fleet_.desired("lyon")->number, 3u) << "agents refuse a smaller number";
}

TEST_F(FleetTest, RemembersReportsOverARestart) {
  fleet_.on_connected("lyon/pi1", "lyon");
  AgentReport report;
  report.agent = "lyon/pi1";
  report.site = "lyon";
  report.version = "0.1.0";
  report.active = sha256(as_bytes("r1"));
  report.hosts = {{"web1", "52:54:00:00:00:01", "done", "c7", 100, "", clock_.wall()}};
  fleet_.on_report(report);
  EXPECT_TRUE(fleet_.reports().agent("lyon/pi1")->online);
  ASSERT_TRUE(fleet_.reports().flush());

  Fleet restarted(state_, key_, clock_);
  ASSERT_TRUE(restarted.open());
  const auto status = restarted.reports().agent("lyon/pi1");
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->online) << "until it connects";
  EXPECT_EQ(status->report.active, report.active);
  EXPECT_EQ(status->report.hosts, report.hosts);
  EXPECT_EQ(status->report.received, clock_.wall());
}

TEST_F(FleetTest, KnowsWhoIsOnline) {
  fleet_.on_connected("lyon/pi1", "lyon");
  clock_.advance(Seconds(5));
  fleet_.on_disconnected("lyon/pi1");
  fleet_.on_disconnected("nobody/pi9");
  const auto all = fleet_.reports().agents();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_FALSE(all[0].online);
  EXPECT_EQ(all[0].since, clock_.wall());
  AgentReport late;
  late.agent = "lyon/pi1";
  late.site = "lyon";
  fleet_.on_report(late);
  EXPECT_FALSE(fleet_.reports().agent("lyon/pi1")->online) << "it was on its way before that";
  fleet_.reports().forget("lyon/pi1");
  EXPECT_TRUE(fleet_.reports().agents().empty());
}

TEST_F(FleetTest, WakesWhoWaits) {
  const std::uint64_t seen = fleet_.changed().wait_past(0, Milliseconds(0));
  std::thread reporter([&] { fleet_.on_connected("lyon/pi1", "lyon"); });
  EXPECT_GT(fleet_.changed().wait_past(seen, Milliseconds(60'000)), seen);
  reporter.join();
}

}  // namespace
}  // namespace farboot
