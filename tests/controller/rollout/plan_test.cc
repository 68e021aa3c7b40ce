#include "controller/rollout/plan.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

const Digest kOld = sha256(as_bytes("r1"));
const Digest kNew = sha256(as_bytes("r2"));

/// One rollout and the sites it is about; step() plans and carries out the orders.
class PlanTest : public ::testing::Test {
 protected:
  void sites(std::initializer_list<const char*> names) {
    if (rollout_.waves.empty()) rollout_.waves = {{"wave1", {"all"}, Seconds(0), {}}};
    for (const char* name : names) {
      AgentFacts agent;
      agent.online = true;
      agent.active = kOld;
      facts_[name] = {{.stage = std::nullopt, .serve = kOld}, {agent}};
      rollout_.targets.push_back({name, 0, TargetState::pending, now_, "", kOld});
    }
    rollout_.id = "1";
    rollout_.release = kNew;
    rollout_.policy.sites_at_once_max = 10;
  }
  std::vector<SiteOrder> step() {
    Step next = plan(rollout_, facts_, memory_, {.wall = now_, .steady = steady_});
    rollout_ = std::move(next.rollout);
    for (const SiteOrder& order : next.orders) facts_.at(order.site).ordered = order.releases;
    return std::move(next.orders);
  }
  std::vector<SiteOrder> step_after(Seconds seconds) {
    now_ += seconds;
    steady_ += seconds;
    return step();
  }
  AgentFacts& agent(const char* site) { return facts_.at(site).agents.at(0); }
  void prove(const char* site) { agent(site).staged = agent(site).proved = kNew; }
  TargetState state(std::size_t target) { return rollout_.targets.at(target).state; }
  const std::string& detail(std::size_t target) { return rollout_.targets.at(target).detail; }
  const Fleet::Releases& ordered(const char* site) { return facts_.at(site).ordered; }

  WallTime now_{Seconds(1'790'000'000)};
  SteadyTime steady_{Seconds(1000)};
  Rollout rollout_;
  FleetFacts facts_;
  PlanMemory memory_;
};

const Fleet::Releases kStage{.stage = kNew, .serve = kOld};
const Fleet::Releases kActivate{.stage = kNew, .serve = kNew};
const Fleet::Releases kBack{.stage = std::nullopt, .serve = kOld};

TEST_F(PlanTest, StagesThenActivatesThenIsDone) {
  sites({"lyon"});
  EXPECT_EQ(step(), (std::vector<SiteOrder>{{"lyon", kStage}}));
  EXPECT_EQ(state(0), TargetState::staging);
  EXPECT_TRUE(step().empty()) << "the same facts change nothing";
  prove("lyon");
  EXPECT_EQ(step(), (std::vector<SiteOrder>{{"lyon", kActivate}}));
  EXPECT_EQ(state(0), TargetState::activating);
  agent("lyon").active = kNew;
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(state(0), TargetState::active);
  EXPECT_EQ(rollout_.state, RolloutState::done);
  EXPECT_EQ(rollout_.finished, now_);
}

TEST_F(PlanTest, DoesNotActivateOnAClaimWithoutProof) {
  sites({"lyon"});
  step();
  agent("lyon").staged = kNew;
  step();
  EXPECT_EQ(state(0), TargetState::staging) << "staged, but nothing proves it";
  agent("lyon").proved = kOld;
  agent("lyon").active = kNew;
  step();
  EXPECT_EQ(state(0), TargetState::staging) << "a proof of another release";
}

TEST_F(PlanTest, WaitsForEveryAgentOfASite) {
  sites({"lyon"});
  facts_["lyon"].agents.push_back(facts_["lyon"].agents[0]);
  step();
  prove("lyon");
  step();
  EXPECT_EQ(state(0), TargetState::staging);
  facts_["lyon"].agents[1].online = false;
  step();
  EXPECT_EQ(state(0), TargetState::activating) << "one that is away catches up by itself";
}

TEST_F(PlanTest, KeepsToTheNumberOfSitesAtOnce) {
  sites({"a", "b", "c"});
  rollout_.policy.sites_at_once_max = 2;
  EXPECT_EQ(step().size(), 2u);
  EXPECT_EQ(state(2), TargetState::pending);
  prove("a");
  step();
  EXPECT_EQ(state(2), TargetState::pending) << "activating still counts";
  agent("a").active = kNew;
  EXPECT_EQ(step().size(), 1u);
  EXPECT_EQ(state(2), TargetState::staging);
}

TEST_F(PlanTest, KnowsASiteThatServesItAlready) {
  sites({"lyon"});
  facts_["lyon"].ordered.serve = kNew;
  rollout_.targets[0].from = kNew;
  agent("lyon").active = kNew;
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(state(0), TargetState::active);
}

TEST_F(PlanTest, FailsASiteThatStallsAndStops) {
  sites({"a", "b"});
  rollout_.policy.sites_at_once_max = 1;
  rollout_.policy.stall = Seconds(100);
  step();
  step_after(Seconds(90));
  agent("a").release = kNew;
  agent("a").bytes_done = 5;
  step_after(Seconds(5));
  step_after(Seconds(90));
  EXPECT_EQ(state(0), TargetState::staging) << "a byte came";
  EXPECT_EQ(step_after(Seconds(20)), (std::vector<SiteOrder>{{"a", kBack}}));
  EXPECT_EQ(state(0), TargetState::failed);
  EXPECT_EQ(detail(0), "no progress for 100 s");
  EXPECT_EQ(rollout_.state, RolloutState::stopped);
  EXPECT_EQ(state(1), TargetState::skipped);
  EXPECT_EQ(rollout_.reason, "1 site failed, 0 allowed");
  EXPECT_TRUE(rollout_.finished);
}

TEST_F(PlanTest, GoesOnBelowTheThreshold) {
  sites({"a", "b"});
  rollout_.policy.failures_max = 1;
  rollout_.policy.error_grace = Seconds(10);
  step();
  agent("a").error = "no space: needs 9 GiB, 1 GiB free";
  step();
  step_after(Seconds(9));
  EXPECT_EQ(state(0), TargetState::staging);
  EXPECT_EQ(detail(0), "no space: needs 9 GiB, 1 GiB free") << "shown at once";
  step_after(Seconds(1));
  EXPECT_EQ(state(0), TargetState::failed);
  EXPECT_EQ(detail(0), "no space: needs 9 GiB, 1 GiB free");
  EXPECT_EQ(rollout_.state, RolloutState::running);
  prove("b");
  step();
  agent("b").active = kNew;
  step();
  EXPECT_EQ(rollout_.state, RolloutState::done);
}

TEST_F(PlanTest, AnErrorThatPassesIsNoFailure) {
  sites({"a"});
  rollout_.policy.error_grace = Seconds(10);
  step();
  agent("a").error = "stream reset";
  step();
  agent("a").error.clear();
  step_after(Seconds(9));
  EXPECT_EQ(detail(0), "");
  agent("a").error = "stream reset";
  step_after(Seconds(9));
  EXPECT_EQ(state(0), TargetState::staging);
}

TEST_F(PlanTest, SkipsASiteThatIsAwayAndLetsItCatchUp) {
  sites({"a", "b"});
  agent("a").online = false;
  step();
  EXPECT_EQ(state(0), TargetState::pending);
  EXPECT_EQ(detail(0), "offline");
  step_after(rollout_.policy.offline_grace);
  EXPECT_EQ(state(0), TargetState::skipped);
  EXPECT_EQ(ordered("a"), (Fleet::Releases{std::nullopt, kOld})) << "not while it may still stop";
  prove("b");
  step();
  agent("b").active = kNew;
  step();
  EXPECT_EQ(rollout_.state, RolloutState::done);
  EXPECT_EQ(ordered("a"), kActivate);
}

TEST_F(PlanTest, WaitsForASiteThatIsAwayIfToldTo) {
  sites({"a"});
  rollout_.policy.offline = OfflinePolicy::wait;
  agent("a").online = false;
  step();
  step_after(Seconds(30 * 24 * 3600));
  EXPECT_EQ(state(0), TargetState::pending);
  agent("a").online = true;
  step();
  EXPECT_EQ(state(0), TargetState::staging);
}

TEST_F(PlanTest, ForgivesAnAgentThatIsAwayForAMoment) {
  sites({"a"});
  step();
  agent("a").online = false;
  EXPECT_TRUE(step_after(Seconds(30)).empty());
  agent("a").online = true;
  EXPECT_TRUE(step_after(Seconds(30)).empty()) << "no order was taken back and given again";
  EXPECT_EQ(state(0), TargetState::staging);
  agent("a").online = false;
  step();
  EXPECT_EQ(step_after(rollout_.policy.offline_grace), (std::vector<SiteOrder>{{"a", kActivate}}));
  EXPECT_EQ(state(0), TargetState::skipped);
}

TEST_F(PlanTest, ASiteWithoutAgentsIsSkipped) {
  sites({"a"});
  facts_["a"].agents.clear();
  step();
  step_after(rollout_.policy.offline_grace);
  EXPECT_EQ(state(0), TargetState::skipped);
  EXPECT_EQ(rollout_.state, RolloutState::done);
}

TEST_F(PlanTest, ARemovedSiteIsNoOrder) {
  sites({"a", "b"});
  step();
  facts_.erase("a");
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(state(0), TargetState::skipped);
}

TEST_F(PlanTest, PausedOrdersNothing) {
  sites({"a", "b"});
  rollout_.policy.sites_at_once_max = 1;
  step();
  rollout_.state = RolloutState::paused;
  prove("a");
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(state(0), TargetState::ready);
  EXPECT_FALSE(rollout_.finished);
  rollout_.state = RolloutState::running;
  EXPECT_EQ(step(), (std::vector<SiteOrder>{{"a", kActivate}}));
}

TEST_F(PlanTest, AbortTakesBackWhatIsNotActivated) {
  sites({"a", "b", "c"});
  rollout_.policy.sites_at_once_max = 2;
  step();
  prove("a");
  step();
  rollout_.state = RolloutState::aborted;
  EXPECT_EQ(step(), (std::vector<SiteOrder>{{"b", kBack}}));
  EXPECT_EQ(state(1), TargetState::skipped);
  EXPECT_EQ(state(2), TargetState::skipped);
  EXPECT_EQ(state(0), TargetState::activating) << "ordered is ordered";
  EXPECT_FALSE(rollout_.finished);
  agent("a").active = kNew;
  step();
  EXPECT_EQ(state(0), TargetState::active);
  EXPECT_TRUE(rollout_.finished);
}

TEST_F(PlanTest, ReturnsWhatActivatedIfThePolicySaysSo) {
  sites({"a", "b", "c"});
  rollout_.policy.on_failure = FailurePolicy::back;
  rollout_.policy.activate = Seconds(60);
  rollout_.targets[2].from.reset();
  facts_["c"].ordered.serve.reset();
  step();
  for (const char* site : {"a", "b", "c"}) prove(site);
  step();
  agent("a").active = agent("c").active = kNew;
  step();
  EXPECT_EQ(state(0), TargetState::active);
  step_after(Seconds(60));
  EXPECT_EQ(rollout_.state, RolloutState::stopped);
  EXPECT_EQ(state(1), TargetState::failed);
  EXPECT_EQ(detail(1), "not active after 60 s");
  EXPECT_EQ(ordered("b"), kBack);
  EXPECT_EQ(state(0), TargetState::returning);
  EXPECT_EQ(ordered("a"), kBack);
  EXPECT_EQ(state(2), TargetState::active) << "it served nothing before: nowhere to go back to";
  EXPECT_FALSE(rollout_.finished);
  agent("a").active = kOld;
  step();
  EXPECT_EQ(state(0), TargetState::returned);
  EXPECT_TRUE(rollout_.finished);
}

TEST_F(PlanTest, HoldLeavesWhatActivated) {
  sites({"a", "b"});
  rollout_.policy.error_grace = Seconds(1);
  step();
  prove("a");
  step();
  agent("a").active = kNew;
  agent("b").error = "disk";
  step();
  step_after(Seconds(1));
  EXPECT_EQ(rollout_.state, RolloutState::stopped);
  EXPECT_EQ(state(0), TargetState::active);
  EXPECT_EQ(ordered("a"), kActivate);
}

TEST_F(PlanTest, TakesWavesOneAfterTheOther) {
  rollout_.waves = {{"canary", {"tier=canary"}, Seconds(300), {}},
                    {"rest", {"all"}, Seconds(0), {}}};
  sites({"a", "b"});
  rollout_.targets[1].wave = 1;
  EXPECT_EQ(step().size(), 1u);
  prove("a");
  step();
  agent("a").active = kNew;
  step();
  EXPECT_EQ(rollout_.waves[0].finished, now_);
  step_after(Seconds(299));
  EXPECT_EQ(state(1), TargetState::pending) << "soaking";
  EXPECT_EQ(step_after(Seconds(1)), (std::vector<SiteOrder>{{"b", kStage}}));
  EXPECT_EQ(rollout_.wave, 1u);
}

TEST_F(PlanTest, AClockThatJumpsNeitherEndsNorLengthensAGrace) {
  sites({"a"});
  step();
  agent("a").error = "x";
  step();
  now_ += Seconds(24 * 3600);
  step();
  EXPECT_EQ(state(0), TargetState::staging) << "not a second has passed";
  now_ -= Seconds(48 * 3600);
  step_after(rollout_.policy.error_grace - Seconds(1));
  EXPECT_EQ(state(0), TargetState::staging);
  step_after(Seconds(1));
  EXPECT_EQ(state(0), TargetState::failed);
}

TEST(RolloutRecord, SurvivesTheDisk) {
  Rollout rollout;
  rollout.id = "7";
  rollout.release = kNew;
  rollout.release_number = 2;
  rollout.state = RolloutState::paused;
  rollout.waves = {{"canary", {"tier=canary", "5%"}, Seconds(60), WallTime(Seconds(5))},
                   {"rest", {"all"}, Seconds(0), {}}};
  rollout.wave = 1;
  rollout.policy = {3,           2,           OfflinePolicy::wait, FailurePolicy::back,
                    Seconds(11), Seconds(12), Seconds(13),         Seconds(14)};
  rollout.targets = {{"a", 0, TargetState::active, WallTime(Seconds(9)), "", kOld},
                     {"b", 1, TargetState::failed, WallTime(Seconds(8)), "why", std::nullopt}};
  rollout.comment = "c";
  rollout.started_by = "ada";
  rollout.reason = "lunch";
  rollout.started = WallTime(Seconds(3));
  const auto read = decode_rollout(encode_rollout(rollout));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, rollout);
  EXPECT_FALSE(decode_rollout("{}"));
  EXPECT_FALSE(decode_rollout(R"({"format":1,"id":"1","state":"flying"})"));
}

}  // namespace
}  // namespace farboot
