#include "agent/host/outbox.h"

#include <algorithm>

#include "agent/host/json_read.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kPrefix = "outbox/";
constexpr std::string_view kLast = "outbox-last";  ///< survives the events it numbered

/// A machine nobody named goes by its MAC.
bool is_stranger(const HostStatus& status) { return status.host == status.mac; }

std::string last_record(std::uint64_t last) { return json_read::dump({{"last", last}}); }

std::string key_of(std::uint64_t sequence) { return fmt::format("{}{:020}", kPrefix, sequence); }

}  // namespace

std::string encode_host_event(const HostEvent& event) {
  const HostStatus& status = event.status;
  return json_read::dump({{"sequence", event.sequence},
                          {"host", status.host},
                          {"mac", status.mac},
                          {"phase", to_string(status.phase)},
                          {"entry", status.entry},
                          {"percent", status.percent},
                          {"detail", status.detail},
                          {"release", status.release},
                          {"order", status.order},
                          {"used", status.used},
                          {"since", status.since.time_since_epoch().count()}});
}

Result<HostEvent> decode_host_event(std::string_view text) {
  const auto json = json_read::object(text);
  HostEvent event;
  event.sequence = json_read::number(json, "sequence");
  const auto phase = install_phase(json_read::text(json, "phase"));
  if (event.sequence == 0 || !phase) return fail(Errc::corrupt, "host event: no sequence or phase");
  event.status = {json_read::text(json, "host"),
                  json_read::text(json, "mac"),
                  *phase,
                  json_read::text(json, "entry"),
                  static_cast<std::uint32_t>(json_read::number(json, "percent")),
                  json_read::text(json, "detail"),
                  json_read::number(json, "release"),
                  json_read::time(json, "since"),
                  json_read::number(json, "order"),
                  json_read::number(json, "used")};
  return event;
}

Result<void> Outbox::open(const StateStore& state) {
  auto last = state.get(kLast);
  if (!last) return prefix(kLast, last.error());
  if (*last) last_ = json_read::number(json_read::object((*last)->value), "last");
  auto entries = state.scan(kPrefix);
  if (!entries) return prefix(kPrefix, entries.error());
  for (const StateEntry& entry : *entries) {
    auto event = decode_host_event(entry.value);
    if (!event) {
      log::warn("host.event_unreadable", log::kv("key", entry.key),
                log::kv("error", event.error().what));
      continue;
    }
    last_ = std::max(last_, event->sequence);
    strangers_ += is_stranger(event->status) ? 1 : 0;
    events_.push_back(std::move(*event));
  }
  return {};
}

void Outbox::add(HostStatus status, Transaction& writes) {
  make_room(status, writes);
  strangers_ += is_stranger(status) ? 1 : 0;
  events_.push_back({++last_, std::move(status)});
  writes.put(key_of(last_), encode_host_event(events_.back()));
  writes.put(std::string(kLast), last_record(last_));
}

/// The oldest goes; strangers' first, and where they have their share already, only theirs.
void Outbox::make_room(const HostStatus& next, Transaction& writes) {
  const bool share_full = is_stranger(next) && strangers_ >= kStrangerEventsMax;
  if (events_.size() < kEventsMax && !share_full) return;
  const auto stranger = std::find_if(events_.begin(), events_.end(), [](const HostEvent& event) {
    return is_stranger(event.status);
  });
  drop(stranger == events_.end() ? events_.begin() : stranger, writes);
}

void Outbox::drop(const Events::iterator& event, Transaction& writes) {
  if (const auto left_out = dropped_.take(clock_->steady()))
    log::warn("host.event_dropped", log::kv("sequence", event->sequence),
              log::kv("host", event->status.host), log::kv("left_out", *left_out));
  writes.erase(key_of(event->sequence));
  strangers_ -= is_stranger(event->status) ? 1 : 0;
  events_.erase(event);
}

void Outbox::clear(Transaction& writes) {
  for (const HostEvent& event : events_) writes.erase(key_of(event.sequence));
  events_.clear();
  strangers_ = 0;
}

std::vector<HostEvent> Outbox::pending(std::size_t events_max) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(events_max, events_.size()));
  return {events_.begin(), events_.begin() + count};
}

void Outbox::acknowledge(std::uint64_t sequence, Transaction& writes) {
  if (sequence > last_ && sequence - last_ > kAheadMax) {
    log::warn("host.ack_refused", log::kv("ours", last_), log::kv("known", sequence));
    return;
  }
  if (sequence > last_) return renumber_above(sequence, writes);
  for (; !events_.empty() && events_.front().sequence <= sequence; events_.pop_front()) {
    writes.erase(key_of(events_.front().sequence));
    strangers_ -= is_stranger(events_.front().status) ? 1 : 0;
  }
}

void Outbox::renumber_above(std::uint64_t sequence, Transaction& writes) {
  log::warn("host.events_renumbered", log::kv("ours", last_), log::kv("known", sequence),
            log::kv("waiting", events_.size()));
  for (const HostEvent& event : events_) writes.erase(key_of(event.sequence));
  last_ = sequence;
  for (HostEvent& event : events_) {
    event.sequence = ++last_;
    writes.put(key_of(event.sequence), encode_host_event(event));
  }
  writes.put(std::string(kLast), last_record(last_));
}

}  // namespace farboot
