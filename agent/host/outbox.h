// What happened to machines and the controller does not know yet. In memory and on disk under
// outbox/<20 digits>; the host book commits the writes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "agent/host/host_record.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/store/state_store.h"

namespace farboot {

/// A change of one machine's phase. Sequence numbers grow and are never used twice, so the
/// controller can drop what it has seen.
struct HostEvent {
  std::uint64_t sequence = 0;
  HostStatus status;
  bool operator==(const HostEvent&) const = default;
};

/// JSON; on disk.
std::string encode_host_event(const HostEvent& event);
/// Errors: corrupt.
Result<HostEvent> decode_host_event(std::string_view text);

class Outbox {
 public:
  explicit Outbox(const Clock& clock) : clock_(&clock) {}

  /// A site that is cut off keeps this many; then the oldest go.
  static constexpr std::size_t kEventsMax = 10'000;
  /// Of these, about machines nobody named: anybody can invent such.
  static constexpr std::size_t kStrangerEventsMax = 1'000;

  /// Blocks. Errors: only if the state cannot be read.
  Result<void> open(const StateStore& state);

  /// Adds the event and the writes that make it durable.
  void add(HostStatus status, Transaction& writes);
  /// Drops all that waits; numbers go on.
  void clear(Transaction& writes);
  /// The oldest `events_max`, in order.
  std::vector<HostEvent> pending(std::size_t events_max) const;
  /// A controller that says it knows a number further ahead of ours than this is not believed: no
  /// life of ours had so many events, and the numbers might run out.
  static constexpr std::uint64_t kAheadMax = 1ull << 32;
  /// Drops all up to `sequence`. A number that was never given is of an earlier life whose state is
  /// lost: what waits is numbered anew behind it, or the controller would take it for known.
  void acknowledge(std::uint64_t sequence, Transaction& writes);

 private:
  using Events = std::deque<HostEvent>;
  void drop(const Events::iterator& event, Transaction& writes);
  void make_room(const HostStatus& next, Transaction& writes);
  void renumber_above(std::uint64_t sequence, Transaction& writes);

  const Clock* clock_;
  LogLimit dropped_;  ///< anybody can invent machines, and so events that push out others
  Events events_;
  std::size_t strangers_ = 0;  ///< events of machines nobody named
  std::uint64_t last_ = 0;
};

}  // namespace farboot
