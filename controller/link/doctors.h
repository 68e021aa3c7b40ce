// Examinations that agents were asked for. Private to link.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/fleet/diagnosis.h"

namespace farboot {

/// On so many connections an agent is asked in all: an examination may be what breaks them.
inline constexpr int kDoctorAsksMax = 2;

/// Thread-safe. Calls nobody while it holds its mutex.
class Doctors {
 public:
  /// One connection of an agent, by what is its own as long as it lasts; no other is taken for it.
  using Line = std::shared_ptr<const void>;

  /// A number for a new request to this agent.
  std::uint64_t ask(const std::string& agent);
  /// What is to be asked on this line, each once: also what was asked on one before, for what the
  /// agent found for that may be lost. What has been asked often enough is settled instead.
  std::vector<std::uint64_t> due(const std::string& agent, const Line& line);
  /// What came of it, or why that cannot be taken; the first word counts. Of a request that is not
  /// its own, or that nobody waits for: ignored.
  void answer(const std::string& agent, std::uint64_t request,
              Result<std::vector<AgentFinding>> findings);
  /// The agent may not come back, unlike one whose connection breaks: that one is waited for.
  void dismiss(const std::string& agent);
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
    std::optional<Result<std::vector<AgentFinding>>> answer;
    std::weak_ptr<const void> line;  ///< the last it was asked on
    int asks = 0;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Open> open_;
  std::uint64_t last_ = 0;
};

}  // namespace farboot
