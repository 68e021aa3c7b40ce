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
  /// The agent may not come back, unlike one whose connection breaks: that one is waited for.
  void dismiss(const std::string& agent);
  /// The agent has a new connection: what it is to be asked there once more. What it found for the
  /// one before may be lost.
  std::vector<std::uint64_t> again(const std::string& agent);
  /// Nobody is to be asked.
  void forget(std::uint64_t request);
  struct Patience {
    const Clock& clock;
    SteadyTime until;
    /// Asked now and then, not under the mutex; true ends it. May be empty.
    const std::function<bool()>& given_up;
    /// Whether the agent has a connection: asked likewise, once the time is up.
    const std::function<bool()>& connected;
    Milliseconds look{200};  ///< so soon a caller that has given up is seen
  };
  /// Until it is answered; then the request is forgotten. Errors: as Diagnoses.
  Result<std::vector<AgentFinding>> wait(std::uint64_t request, const Patience& patience);

 private:
  struct Open {
    std::string agent;
    std::optional<std::vector<AgentFinding>> findings;
    bool dismissed = false;
    bool again = false;
  };
  using Requests = std::map<std::uint64_t, Open>;
  static bool settled(const Open& open) { return open.findings || open.dismissed; }
  Result<std::vector<AgentFinding>> end(Requests::iterator settled);

  std::mutex mutex_;
  std::condition_variable changed_;
  Requests open_;
  std::uint64_t last_ = 0;
};

}  // namespace farboot
