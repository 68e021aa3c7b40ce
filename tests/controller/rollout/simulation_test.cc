// Whole rollouts over fleets whose agents die, lag, lie, fail and come back, by seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "controller/rollout/plan.h"

namespace farboot {
namespace {

const Digest kBefore = sha256(as_bytes("r1"));
const Digest kAfter = sha256(as_bytes("r2"));
constexpr Seconds kStep{20};

enum class Temper {
  good,
  slow,
  dies,      ///< goes offline for ever at some moment
  flaps,     ///< comes and goes
  stalls,    ///< stages half and stops
  fails,     ///< reports an error for ever
  liar,      ///< claims to be staged and active without a proof
  stubborn,  ///< stages and proves, but never activates
};

struct SimulatedAgent {
  Temper temper = Temper::good;
  std::uint64_t bytes = 0;
  std::uint64_t rate = 100;
  bool dead = false;
  Fleet::Releases heard;  ///< of the last time it was online
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {
    const std::size_t sites = 1 + below(40);
    rollout_.id = "1";
    rollout_.release = kAfter;
    rollout_.policy.sites_at_once_max = static_cast<std::uint32_t>(1 + below(6));
    rollout_.policy.failures_max = static_cast<std::uint32_t>(below(5));
    rollout_.policy.on_failure = below(2) == 0 ? FailurePolicy::hold : FailurePolicy::back;
    const std::size_t waves = 1 + below(3);
    for (std::size_t wave = 0; wave < waves; ++wave)
      rollout_.waves.push_back({"w", {"all"}, Seconds(static_cast<long>(below(200))), {}});
    for (std::size_t i = 0; i < sites; ++i) {
      const std::string name = "site" + std::to_string(i);
      SimulatedAgent agent;
      agent.temper = below(2) == 0 ? Temper::good : static_cast<Temper>(below(8));
      agent.rate = agent.temper == Temper::slow ? 3 : 100 + below(400);
      agents_[name] = agent;
      AgentFacts facts;
      facts.online = true;
      facts.active = kBefore;
      facts_[name] = {{.stage = std::nullopt, .serve = kBefore}, {facts}};
    }
    std::uint32_t wave = 0;
    for (const auto& [name, site] : facts_) {
      rollout_.targets.push_back({name, wave, TargetState::pending, now_, "", kBefore});
      if (wave + 1 < rollout_.waves.size() && below(4) == 0) ++wave;
    }
  }

  void run() {
    for (int i = 0; i < 20'000 && !rollout_.finished; ++i) {
      now_ += kStep;
      steady_ += kStep;
      if (below(200) == 0) memory_.clear();  // the controller was killed and started again
      Step step = plan(rollout_, facts_, memory_, {.wall = now_, .steady = steady_});
      if (below(10) == 0) continue;  // it was killed before it could store the step
      rollout_ = std::move(step.rollout);
      for (const SiteOrder& order : step.orders) facts_.at(order.site).ordered = order.releases;
      check();
      for (auto& [name, agent] : agents_) move(name, agent);
    }
  }

  void check() {
    std::size_t busy = 0, failures = 0, staging_orders = 0;
    for (const RolloutTarget& target : rollout_.targets) {
      const bool orders = target.state == TargetState::staging ||
                          target.state == TargetState::ready ||
                          target.state == TargetState::activating;
      busy += orders;
      failures += target.state == TargetState::failed;
      const auto& ordered = facts_.at(target.site).ordered;
      staging_orders += ordered.stage == kAfter && ordered.serve != kAfter;
    }
    ASSERT_LE(busy, rollout_.policy.sites_at_once_max);
    ASSERT_LE(staging_orders, rollout_.policy.sites_at_once_max);
    if (rollout_.state == RolloutState::running) {
      ASSERT_LE(failures, rollout_.policy.failures_max);
    }
    if (failures > rollout_.policy.failures_max) {
      ASSERT_EQ(staging_orders, 0u) << "a stopped rollout stages nothing";
    }
    for (const auto& [name, site] : facts_) {
      const SimulatedAgent& agent = agents_.at(name);
      if (agent.temper != Temper::liar || rollout_.state == RolloutState::done) continue;
      ASSERT_NE(site.ordered.serve, kAfter) << "activated on a lie";
    }
  }

  const Rollout& rollout() const { return rollout_; }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  void move(const std::string& name, SimulatedAgent& agent) {
    TargetFacts& site = facts_.at(name);
    AgentFacts& said = site.agents[0];
    if (agent.temper == Temper::dies && below(15) == 0) agent.dead = true;
    if (agent.temper == Temper::flaps && below(4) == 0) said.online = !said.online;
    if (agent.dead) said.online = false;
    if (!said.online || below(5) == 0) return;  // late: this report is lost
    agent.heard = site.ordered;
    if (agent.temper == Temper::fails) said.error = "disk full";
    if (agent.temper == Temper::liar) {
      said.staged = said.active = kAfter;
      said.bytes_done += below(2);
      if (below(3) == 0) said.proved = kBefore;
    }
    if (agent.heard.stage == kAfter && agent.temper != Temper::fails &&
        agent.temper != Temper::liar) {
      said.release = kAfter;
      const std::uint64_t most = agent.temper == Temper::stalls ? 500 : 1000;
      agent.bytes = std::min(most, agent.bytes + agent.rate);
      said.bytes_done = agent.bytes;
      if (agent.bytes == 1000) said.staged = said.proved = kAfter;
    }
    if (agent.temper == Temper::stubborn || agent.temper == Temper::liar) return;
    if (agent.heard.serve == kAfter && said.staged == kAfter) said.active = kAfter;
    if (agent.heard.serve == kBefore) said.active = kBefore;
  }

  std::mt19937 random_;
  WallTime now_{Seconds(1'790'000'000)};
  SteadyTime steady_{Seconds(1000)};
  Rollout rollout_;
  FleetFacts facts_;
  PlanMemory memory_;
  std::map<std::string, SimulatedAgent> agents_;
};

class PlanSimulation : public ::testing::TestWithParam<unsigned> {};

TEST_P(PlanSimulation, KeepsItsPromisesAndEnds) {
  const char* const from = std::getenv("FARBOOT_SEED");
  const unsigned first =
      (from != nullptr ? static_cast<unsigned>(std::atoi(from)) : 0) + GetParam() * 10;
  for (unsigned seed = first; seed < first + 10; ++seed) {
    SCOPED_TRACE("FARBOOT_SEED=" + std::to_string(seed));
    Simulation simulation(seed);
    simulation.run();
    if (HasFatalFailure()) return;
    const Rollout& rollout = simulation.rollout();
    ASSERT_TRUE(rollout.finished) << "it never ended";
    for (const RolloutTarget& target : rollout.targets)
      ASSERT_TRUE(ended(target.state)) << target.site << " " << to_string(target.state);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PlanSimulation, ::testing::Range(0u, 8u));

}  // namespace
}  // namespace farboot
