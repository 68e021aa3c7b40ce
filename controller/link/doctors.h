// Examinations that agents were asked for. Private to link.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/fleet/diagnosis.h"

namespace farboot {

/// Thread-safe. Calls nobody while it holds its mutex.
class Doctors {
 public:
  /// A number for a new request to this agent.
  std::uint64_t ask(const std::string& agent);
  /// What came of it. Of a request that is not its own, or that nobody waits for: ignored.
  void answer(const std::string& agent, std::uint64_t request, std::vector<AgentFinding> findings);
  /// The agent is gone: what it was asked for will not come, unless it is back in time.
  void gone(const std::string& agent);
  /// The agent has a new connection: what it is to be asked there once more. What it found for the
  /// one before may be lost.
  std::vector<std::uint64_t> again(const std::string& agent);
  /// Nobody is to be asked.
  void forget(std::uint64_t request);
  /// Until it is answered; then the request is forgotten. Errors: as Diagnoses.
  Result<std::vector<AgentFinding>> wait(std::uint64_t request, SteadyTime until,
                                         const std::function<bool()>& given_up);

 private:
  struct Open {
    std::string agent;
    std::optional<std::vector<AgentFinding>> findings;
    bool gone = false;
    bool again = false;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Open> open_;
  std::uint64_t last_ = 0;
};

}  // namespace farboot
