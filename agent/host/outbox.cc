#include "agent/host/outbox.h"

#include <algorithm>

#include "agent/host/json_read.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kPrefix = "outbox/";
constexpr std::string_view kLast = "outbox-last";  ///< survives the events it numbered

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
                  json_read::time(json, "since")};
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
    events_.push_back(std::move(*event));
  }
  return {};
}

void Outbox::add(HostStatus status, Transaction& writes) {
  if (events_.size() >= kEventsMax) drop_oldest(writes);
  events_.push_back({++last_, std::move(status)});
  writes.put(key_of(last_), encode_host_event(events_.back()));
  writes.put(std::string(kLast), json_read::dump({{"last", last_}}));
}

void Outbox::drop_oldest(Transaction& writes) {
  log::warn("host.event_dropped", log::kv("sequence", events_.front().sequence),
            log::kv("host", events_.front().status.host));
  writes.erase(key_of(events_.front().sequence));
  events_.pop_front();
}

std::vector<HostEvent> Outbox::pending(std::size_t events_max) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(events_max, events_.size()));
  return {events_.begin(), events_.begin() + count};
}

void Outbox::acknowledge(std::uint64_t sequence, Transaction& writes) {
  for (; !events_.empty() && events_.front().sequence <= sequence; events_.pop_front())
    writes.erase(key_of(events_.front().sequence));
}

}  // namespace farboot
