// What each agent last said of itself. In memory; the coarse part is kept in the StateStore
// (`report/<site>/<name>`), so that a restarted controller does not forget who had what.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/store/state_store.h"
#include "controller/fleet/report.h"
#include "controller/fleet/signal.h"

namespace farboot {

struct AgentStatus {
  AgentReport report;  ///< agent, site and received are always set; the rest as last reported
  bool online = false;
  WallTime since{};  ///< went online or offline then; unset after a controller's restart
};

/// Thread-safe.
class ReportBook {
 public:
  ReportBook(StateStore& state, const Clock& clock, Signal& changed)
      : state_(state), clock_(clock), changed_(changed) {}

  /// Reads back what was kept. Everyone is offline until it connects.
  Result<void> open();

  void on_connected(const std::string& agent, const std::string& site);
  void on_disconnected(const std::string& agent);
  /// Says nothing of whether the agent is online: its stream may have ended meanwhile.
  void on_report(const AgentReport& report);

  std::vector<AgentStatus> agents() const;
  std::optional<AgentStatus> agent(const std::string& id) const;

  /// Writes what changed since the last flush, in few commits of bounded size; what one of them
  /// fails to write is tried again next time. Blocks; called by the rollout runner and at the end.
  Result<void> flush();
  void forget(const std::string& agent);

 private:
  struct Agents {
    std::map<std::string, AgentStatus> by_id;
    std::set<std::string> dirty;
  };
  using Records = std::vector<std::pair<std::string, std::string>>;  ///< by the agent's id
  Result<void> write(Records records);

  StateStore& state_;
  const Clock& clock_;
  Signal& changed_;
  Guarded<Agents> agents_;
  /// Held while a record is written or erased: what is forgotten does not come back. Taken before
  /// that of `agents_`.
  std::mutex commits_;
};

}  // namespace farboot
