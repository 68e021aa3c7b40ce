// What happened at the sites, as their agents tell it: each event once, whatever is sent again.
//
//   event/<site>/<agent>/<20 digits>   JSON of one event
//   event-ack/<site>/<agent>           newest kept, blank, the agent's key id
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/store/state_store.h"
#include "controller/fleet/report.h"
#include "controller/pki/enrol.h"

namespace farboot {

struct SiteEvent {
  std::uint64_t sequence = 0;
  WallTime time{};
  std::string kind, detail;
  HostReport host;  ///< the machine it is about, as it was then; empty: none
  std::uint32_t repeated_times = 0;
};

/// Thread-safe; for one agent, one caller at a time.
class EventBook {
 public:
  /// Kept of one agent; older ones go.
  static constexpr std::uint64_t kEventsMax = 1000;

  explicit EventBook(StateStore& state) : state_(state) {}

  /// Sequence number of the newest event kept; 0: none. An agent that was enrolled anew (another
  /// key) counts from one again.
  Result<std::uint64_t> acknowledged(const AgentRecord& agent) const;
  struct Kept {
    std::uint64_t acknowledged = 0;
    std::uint64_t fresh = 0;  ///< not seen before
  };
  /// Keeps what is newer than what is acknowledged, durably.
  Result<Kept> keep(const AgentRecord& agent, std::span<const SiteEvent> events);

 private:
  Result<void> drop_up_to(const std::string& agent, std::uint64_t sequence, Transaction& out) const;

  StateStore& state_;
};

}  // namespace farboot
