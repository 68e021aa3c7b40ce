// Moves every rollout on: on each report, and once a second while one is under way. All it knows
// lies in the store, so a controller that was killed continues where it was.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/store/state_store.h"
#include "controller/fleet/fleet.h"
#include "controller/pki/enrol.h"
#include "controller/rollout/plan.h"
#include "controller/rollout/proof.h"
#include "controller/rollout/rollouts.h"

namespace farboot {

/// start() and stop() by one owner; borrows everything. Also writes the agents' reports to disk now
/// and then.
class RolloutRunner {
 public:
  RolloutRunner(StateStore& state, Rollouts& rollouts, Fleet& fleet, const Enrolment& enrolment,
                const Clock& clock)
      : state_(state), rollouts_(rollouts), fleet_(fleet), enrolment_(enrolment), clock_(clock) {}
  ~RolloutRunner() { stop(); }

  void start();
  /// Returns when the thread is gone. Harmless twice.
  void stop();

  /// One look at every rollout, on the caller's thread (start() does this in a loop). Returns how
  /// many have not ended. Errors: what the stores say of one of them (the others moved on all the
  /// same); nothing is lost, call it again.
  Result<std::size_t> run_once();

 private:
  void run();
  Result<void> learn_root(const Digest& release);
  Result<FleetFacts> facts();
  std::optional<Digest> proved(const AgentRecord& agent, const AgentReport& report);
  Result<bool> advance(const Rollouts::Stored& stored, const FleetFacts& facts);

  StateStore& state_;
  Rollouts& rollouts_;
  Fleet& fleet_;
  const Enrolment& enrolment_;
  const Clock& clock_;
  std::map<std::string, PlanMemory> memory_;  ///< by rollout
  /// Proofs looked at already, by agent: a signature is checked once, not once a second.
  struct Proof {
    std::optional<SignedDocument> document;
    std::string public_key_pem;
    std::optional<ReadyProof> proof;
  };
  std::map<std::string, Proof> proofs_;
  std::map<Digest, Digest> roots_;  ///< release → the Merkle root a proof of it must state
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace farboot
