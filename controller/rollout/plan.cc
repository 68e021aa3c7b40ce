#include "controller/rollout/plan.h"

#include <algorithm>

namespace farboot {
namespace {

using Releases = Fleet::Releases;

bool online(const TargetFacts& site) {
  return std::any_of(site.agents.begin(), site.agents.end(),
                     [](const AgentFacts& agent) { return agent.online; });
}

/// True if every agent that can be asked says so, and one can.
template <class Says>
bool all_online(const TargetFacts& site, Says says) {
  return online(site) &&
         std::all_of(site.agents.begin(), site.agents.end(),
                     [&](const AgentFacts& agent) { return !agent.online || says(agent); });
}

std::string first_error(const TargetFacts& site) {
  for (const AgentFacts& agent : site.agents)
    if (agent.online && !agent.error.empty()) return agent.error;
  return {};
}

/// Starts `timer` while `condition` holds; true once it has held for `grace`.
bool held_for(std::optional<SteadyTime>& timer, bool condition, Seconds grace, SteadyTime now) {
  if (!condition) {
    timer.reset();
    return false;
  }
  if (!timer) timer = now;
  return now - *timer >= grace;
}

class Planner {
 public:
  Planner(Rollout rollout, const FleetFacts& facts, PlanMemory& memory, PlanTime now)
      : rollout_(std::move(rollout)), facts_(facts), memory_(memory), now_(now) {}

  Step run() {
    // A step may open the way for the next one; each pass moves some target on, so it ends.
    const std::size_t passes_max = rollout_.targets.size() * 4 + rollout_.waves.size() + 4;
    for (std::size_t pass = 0; pass < passes_max; ++pass) {
      const Rollout before = rollout_;
      for (RolloutTarget& target : rollout_.targets)
        if (under_way(target.state)) observe(target);
      react();
      if (rollout_ == before) break;
    }
    Step step{std::move(rollout_), {}};
    for (auto& [site, releases] : orders_)
      if (!(facts_.at(site).ordered == releases)) step.orders.push_back({site, releases});
    return step;
  }

 private:
  const TargetFacts* site(const RolloutTarget& target) const {
    const auto found = facts_.find(target.site);
    return found == facts_.end() ? nullptr : &found->second;
  }

  bool serves_already(const TargetFacts& facts) const {
    const Digest release = rollout_.release;
    return facts.ordered.serve == release &&
           all_online(facts, [&](const AgentFacts& agent) { return agent.active == release; });
  }

  void set(RolloutTarget& target, TargetState state, std::string detail = {}) {
    if (target.state != state) target.since = now_.wall;
    target.state = state;
    target.detail = std::move(detail);
    SiteMemory& memory = memory_[target.site];
    memory.error_since.reset();
    memory.progress_since.reset();
    memory.bytes_done = 0;
  }

  void order(const RolloutTarget& target, Releases releases) {
    if (site(target) != nullptr) orders_[target.site] = releases;
  }
  /// What the site had before this rollout came.
  void withdraw(const RolloutTarget& target) {
    order(target, {.stage = std::nullopt, .serve = target.from});
  }

  void observe(RolloutTarget& target) {
    const TargetFacts* facts = site(target);
    if (facts == nullptr) return set(target, TargetState::skipped, "the site was removed");
    switch (target.state) {
      case TargetState::staging: return observe_staging(target, *facts);
      case TargetState::activating: return observe_activating(target, *facts);
      case TargetState::returning: return observe_returning(target, *facts);
      default: return;
    }
  }

  void observe_staging(RolloutTarget& target, const TargetFacts& facts) {
    SiteMemory& memory = memory_[target.site];
    if (held_for(memory.offline_since, !online(facts), rollout_.policy.offline_grace,
                 now_.steady)) {
      // Frees the slot: skipped, or it gets another turn when it is back.
      withdraw(target);
      const bool skip = rollout_.policy.offline == OfflinePolicy::skip;
      return set(target, skip ? TargetState::skipped : TargetState::pending, "offline");
    }
    if (memory.offline_since) return;
    const Digest release = rollout_.release;
    if (all_online(facts, [&](const AgentFacts& agent) {
          const bool held = agent.staged == release || agent.active == release;
          return held && agent.proved == release;
        }))
      return set(target, TargetState::ready);
    std::uint64_t done = 0;
    for (const AgentFacts& agent : facts.agents)
      if (agent.online && agent.release == release) done += agent.bytes_done;
    if (done > memory.bytes_done) memory.progress_since.reset();
    memory.bytes_done = std::max(memory.bytes_done, done);
    const std::string error = first_error(facts);
    target.detail = error;  // shown at once, also while it may still pass
    if (held_for(memory.error_since, !error.empty(), rollout_.policy.error_grace, now_.steady)) {
      withdraw(target);
      return set(target, TargetState::failed, error);
    }
    if (held_for(memory.progress_since, true, rollout_.policy.stall, now_.steady)) {
      withdraw(target);
      return set(target, TargetState::failed,
                 "no progress for " + std::to_string(rollout_.policy.stall.count()) + " s");
    }
  }

  void observe_activating(RolloutTarget& target, const TargetFacts& facts) {
    SiteMemory& memory = memory_[target.site];
    const Digest release = rollout_.release;
    if (all_online(facts, [&](const AgentFacts& agent) { return agent.active == release; }))
      return set(target, TargetState::active);
    if (!online(facts)) {
      // The order stands: it is served the moment the site reads it. Only the slot is given up.
      if (held_for(memory.offline_since, true, rollout_.policy.offline_grace, now_.steady))
        set(target, TargetState::skipped, "went offline while activating; the order stands");
      return;
    }
    memory.offline_since.reset();
    const std::string error = first_error(facts);
    target.detail = error;
    const bool failed =
        held_for(memory.error_since, !error.empty(), rollout_.policy.error_grace, now_.steady);
    const bool late = held_for(memory.progress_since, true, rollout_.policy.activate, now_.steady);
    if (!failed && !late) return;
    if (rollout_.policy.on_failure == FailurePolicy::back && target.from) withdraw(target);
    set(target, TargetState::failed,
        failed ? error
               : "not active after " + std::to_string(rollout_.policy.activate.count()) + " s");
  }

  void observe_returning(RolloutTarget& target, const TargetFacts& facts) {
    if (all_online(facts, [&](const AgentFacts& agent) { return agent.active == target.from; }))
      return set(target, TargetState::returned, target.detail);
    // The order stands; waiting for ever for the report would leave the rollout open.
    if (held_for(memory_[target.site].progress_since, true, rollout_.policy.activate, now_.steady))
      set(target, TargetState::failed, "ordered back, but has not reported it yet");
  }

  void react() {
    if (rollout_.finished) return;
    if (rollout_.state == RolloutState::running) running();
    if (rollout_.state == RolloutState::stopped) give_up("the rollout stopped");
    if (rollout_.state == RolloutState::aborted) give_up("the rollout was aborted");
    const bool closed =
        rollout_.state != RolloutState::running && rollout_.state != RolloutState::paused;
    const bool busy =
        std::any_of(rollout_.targets.begin(), rollout_.targets.end(),
                    [](const RolloutTarget& target) { return under_way(target.state); });
    if (closed && !busy) rollout_.finished = now_.wall;
  }

  void running() {
    const auto failures = static_cast<std::uint32_t>(std::count_if(
        rollout_.targets.begin(), rollout_.targets.end(),
        [](const RolloutTarget& target) { return target.state == TargetState::failed; }));
    if (failures > rollout_.policy.failures_max) return stop(failures);
    for (RolloutTarget& target : rollout_.targets) {
      if (target.state != TargetState::ready) continue;
      order(target, {.stage = rollout_.release, .serve = rollout_.release});
      set(target, TargetState::activating);
    }
    if (next_wave()) start_targets();
  }

  void stop(std::uint32_t failures) {
    rollout_.state = RolloutState::stopped;
    rollout_.reason = std::to_string(failures) + (failures == 1 ? " site" : " sites") +
                      " failed, " + std::to_string(rollout_.policy.failures_max) + " allowed";
    if (rollout_.policy.on_failure != FailurePolicy::back) return;
    for (RolloutTarget& target : rollout_.targets) {
      if (!target.from || *target.from == rollout_.release) continue;
      // It went offline with the order to activate: it must not find that one when it is back.
      if (target.state == TargetState::skipped) withdraw(target);
      if (target.state != TargetState::active && target.state != TargetState::activating) continue;
      withdraw(target);
      set(target, TargetState::returning, "the rollout stopped");
    }
  }

  /// What is not activating yet never will.
  void give_up(const std::string& why) {
    for (RolloutTarget& target : rollout_.targets) {
      if (target.state == TargetState::staging || target.state == TargetState::ready)
        withdraw(target);
      else if (target.state != TargetState::pending)
        continue;
      set(target, TargetState::skipped, why);
    }
  }

  /// False: nothing to start now. Moves on to the next wave, or ends the rollout.
  bool next_wave() {
    while (std::all_of(rollout_.targets.begin(), rollout_.targets.end(),
                       [&](const RolloutTarget& target) {
                         return target.wave != rollout_.wave || ended(target.state);
                       })) {
      RolloutWave& wave = rollout_.waves[rollout_.wave];
      if (!wave.finished) wave.finished = now_.wall;
      if (rollout_.wave + 1 == rollout_.waves.size()) {
        finish();
        return false;
      }
      if (now_.wall - *wave.finished < wave.soak) return false;
      ++rollout_.wave;
    }
    return true;
  }

  void finish() {
    rollout_.state = RolloutState::done;
    for (RolloutTarget& target : rollout_.targets) {
      if (target.state != TargetState::skipped || site(target) == nullptr) continue;
      order(target, {.stage = rollout_.release, .serve = rollout_.release});
      target.detail += "; catches up by itself";
    }
  }

  void start_targets() {
    auto busy = static_cast<std::size_t>(
        std::count_if(rollout_.targets.begin(), rollout_.targets.end(),
                      [](const RolloutTarget& target) { return under_way(target.state); }));
    for (RolloutTarget& target : rollout_.targets) {
      if (target.wave != rollout_.wave || target.state != TargetState::pending) continue;
      const TargetFacts* facts = site(target);
      if (facts == nullptr) {
        set(target, TargetState::skipped, "the site was removed");
        continue;
      }
      if (serves_already(*facts)) {
        set(target, TargetState::active, "served it already");
        continue;
      }
      SiteMemory& memory = memory_[target.site];
      const bool skip = rollout_.policy.offline == OfflinePolicy::skip;
      if (held_for(memory.offline_since, !online(*facts), rollout_.policy.offline_grace,
                   now_.steady) &&
          skip) {
        set(target, TargetState::skipped,
            facts->agents.empty() ? "no agent is enrolled" : "offline");
        continue;
      }
      if (memory.offline_since) {
        target.detail = facts->agents.empty() ? "no agent is enrolled" : "offline";
        continue;
      }
      if (busy >= rollout_.policy.sites_at_once_max) {
        target.detail.clear();
        continue;
      }
      ++busy;
      order(target, {.stage = rollout_.release, .serve = target.from});
      set(target, TargetState::staging);
    }
  }

  Rollout rollout_;
  const FleetFacts& facts_;
  PlanMemory& memory_;
  PlanTime now_;
  std::map<std::string, Releases> orders_;
};

}  // namespace

Step plan(Rollout rollout, const FleetFacts& facts, PlanMemory& memory, PlanTime now) {
  return Planner(std::move(rollout), facts, memory, now).run();
}

}  // namespace farboot
