#include "controller/link/event_book.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

namespace farboot {
namespace {

std::string event_key(const std::string& agent, std::uint64_t sequence) {
  return fmt::format("event/{}/{:020}", agent, sequence);
}
std::string ack_key(const std::string& agent) { return "event-ack/" + agent; }

std::string encode(const SiteEvent& event) {
  const nlohmann::json json = {{"time_ms", event.time.time_since_epoch().count()},
                               {"kind", event.kind},
                               {"detail", event.detail},
                               {"repeated_times", event.repeated_times},
                               {"host",
                                {{"host", event.host.host},
                                 {"mac", event.host.mac},
                                 {"state", event.host.state},
                                 {"entry", event.host.entry},
                                 {"percent", event.host.percent},
                                 {"detail", event.host.detail},
                                 {"since_ms", event.host.since.time_since_epoch().count()}}}};
  // Text comes from machines at the site: what is not UTF-8 is replaced, never thrown over.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Result<std::uint64_t> EventBook::acknowledged(const AgentRecord& agent) const {
  auto entry = state_.get(ack_key(agent.id));
  if (!entry) return entry.error();
  if (!*entry) return std::uint64_t{0};
  const std::string& text = (*entry)->value;
  std::uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ')
    return fail(Errc::corrupt, "{}: not a number and a key", ack_key(agent.id));
  const std::string_view key(end + 1,
                             static_cast<std::size_t>(text.data() + text.size() - end - 1));
  return key == agent.key_id ? sequence : 0;
}

Result<EventBook::Kept> EventBook::keep(const AgentRecord& agent,
                                        std::span<const SiteEvent> events) {
  auto newest = acknowledged(agent);
  if (!newest) return newest.error();
  Transaction transaction;
  std::uint64_t last = *newest, fresh = 0;
  for (const SiteEvent& event : events) {
    if (event.sequence <= last) continue;
    const bool gap = event.sequence != last + 1;
    if (event.sequence > kEventsMax && !gap)
      transaction.erase(event_key(agent.id, event.sequence - kEventsMax));
    if (event.sequence > kEventsMax && gap) {
      auto dropped = drop_up_to(agent.id, event.sequence - kEventsMax, transaction);
      if (!dropped) return dropped.error();
    }
    transaction.put(event_key(agent.id, event.sequence), encode(event));
    last = event.sequence;
    ++fresh;
  }
  if (fresh == 0) return Kept{last, 0};
  transaction.put(ack_key(agent.id), std::to_string(last) + " " + agent.key_id);
  auto committed = state_.commit(transaction);
  if (!committed) return committed.error();
  return Kept{last, fresh};
}

Result<void> EventBook::drop_up_to(const std::string& agent, std::uint64_t sequence,
                                   Transaction& out) const {
  auto entries = state_.scan("event/" + agent + "/");
  if (!entries) return entries.error();
  for (const StateEntry& entry : *entries)
    if (entry.key <= event_key(agent, sequence)) out.erase(entry.key);
  return {};
}

}  // namespace farboot
