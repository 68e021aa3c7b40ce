// The next step of a rollout: what to order, and what to remember. Pure: no clock, store or log.
//
// Orders are desired states, so a step that was lost, or done twice, is simply taken again: what
// counts is what the sites are to have and what their agents report.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/content/digest.h"
#include "controller/fleet/fleet.h"
#include "controller/rollout/rollout.h"

namespace farboot {

/// What is known of one agent.
struct AgentFacts {
  bool online = false;
  std::optional<Digest> active;
  std::optional<Digest> staged;
  std::optional<Digest> proved;   ///< the release its proof of readiness is for
  std::optional<Digest> release;  ///< of the transfer under way
  std::uint64_t bytes_done = 0;   ///< fetched; then, on top, read back from the disk and verified
  std::string error;
};

struct TargetFacts {
  Fleet::Releases ordered;         ///< what the site is to have now
  std::vector<AgentFacts> agents;  ///< enrolled and not revoked
};

/// Every site there is.
using FleetFacts = std::map<std::string, TargetFacts>;

/// The wall clock is for what is stored and shown, the steady one for the graces.
struct PlanTime {
  WallTime wall{};
  SteadyTime steady{};
};

/// What the planner has seen and need not survive a restart: the graces then begin anew.
struct SiteMemory {
  std::optional<SteadyTime> offline_since, error_since, progress_since;
  std::uint64_t bytes_done = 0;
};
using PlanMemory = std::map<std::string, SiteMemory>;

struct SiteOrder {
  std::string site;
  Fleet::Releases releases;
  bool operator==(const SiteOrder&) const = default;
};

struct Step {
  Rollout rollout;                ///< to be stored together with the orders
  std::vector<SiteOrder> orders;  ///< at most one per site; only for sites there are
};

/// Never leaves more than policy.sites_at_once_max sites under way; once failures are over the
/// threshold it starts nothing more. Calling it again with what it returned and the same facts
/// changes nothing.
Step plan(Rollout rollout, const FleetFacts& facts, PlanMemory& memory, PlanTime now);

}  // namespace farboot
