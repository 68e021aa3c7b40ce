#include "agent/host/host_book.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "agent/host/host_entry.h"
#include "agent/host/json_read.h"
#include "common/base/log.h"

namespace farboot {
namespace {

// A Pi without a clock chip starts in 1970: differences to such times mean nothing.
constexpr WallTime kClockSane{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};
/// What a clock that was set between two boots can make an install older at most.
constexpr Seconds kOffMax{3600};
constexpr std::string_view kSiteKey = "host-book/site";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

/// True if two descriptions have a card, UUID or serial number in common.
bool same_machine(const HostSpec& a, const HostSpec& b) {
  const bool card = std::any_of(a.macs.begin(), a.macs.end(), [&](const std::string& mac) {
    return std::find(b.macs.begin(), b.macs.end(), mac) != b.macs.end();
  });
  return card || (!a.uuid.empty() && a.uuid == b.uuid) ||
         (!a.serial.empty() && a.serial == b.serial);
}

template <class Map>
typename Map::mapped_type look_up(const Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

HostBook::HostBook(Loop& loop, DiskPool& disk, StateStore& state, Catalog& catalog,
                   const Clock& clock, HostSettings settings)
    : catalog_(catalog),
      clock_(clock),
      settings_(std::move(settings)),
      state_(state),
      writer_(loop, disk, state, clock),
      executor_(loop.get_executor()),
      outbox_(clock),
      last_tick_(clock.steady()) {}

HostBook::~HostBook() = default;

Result<void> HostBook::open() {
  auto opened = outbox_.open(state_);
  if (!opened) return opened.error();
  auto records = state_.scan(kHostPrefix);
  if (!records) return prefix(kHostPrefix, records.error());
  for (const StateEntry& stored : *records) {
    auto record = decode_host_record(stored.value);
    if (!record) {
      log::error("host.record_unreadable", log::kv("key", stored.key),
                 log::kv("error", record.error().what));
      lost_.insert(stored.key.substr(kHostPrefix.size()));
      continue;
    }
    record->install.age += passed_since(*record);
    add(std::move(*record));
  }
  open_attempts();
  index();
  return open_site();
}

Seconds HostBook::uptime() const {
  return std::chrono::duration_cast<Seconds>(clock_.steady().time_since_epoch());
}

/// The time that passed while we were not running. Over a restart of the daemon the steady clock
/// knows it. Over a boot only the wall clock does, and that is set when the network comes: an
/// install must not expire because of a jump of days, so little of it is believed.
Seconds HostBook::passed_since(const HostRecord& record) const {
  if (!settings_.boot_id.empty() && record.saved_boot == settings_.boot_id)
    return std::max(Seconds(0), uptime() - record.saved_uptime);
  const WallTime now = clock_.wall();
  if (record.saved < kClockSane || now < record.saved) return Seconds(0);
  return std::min(kOffMax, std::chrono::duration_cast<Seconds>(now - record.saved));
}

/// Until the link's thread is up and applies the desired state, and for ever if that is lost,
/// templates are rendered with what was desired last.
Result<void> HostBook::open_site() {
  auto stored = state_.get(kSiteKey);
  if (!stored) return prefix(kSiteKey, stored.error());
  if (!*stored) return {};
  const auto json = json_read::object((*stored)->value);
  site_ = {json_read::text(json, "name"), json_read::pairs(json, "variables")};
  site_installs_max_ = static_cast<std::uint32_t>(json_read::number(json, "installs_at_once_max"));
  orders_elsewhere_ = json_read::flag(json, "orders_elsewhere");
  site_kept_ = true;
  return {};
}

void HostBook::keep_site(const DesiredState& desired, const std::string& agent,
                         Transaction& writes) {
  const SiteFacts facts{desired.site, desired.variables};
  const std::uint32_t installs = desired.limits.installs_at_once_max;
  const bool elsewhere = !desired.orders_agent.empty() && desired.orders_agent != agent;
  if (site_kept_ && facts == site_ && installs == site_installs_max_ &&
      elsewhere == orders_elsewhere_)
    return;
  site_ = facts;
  site_installs_max_ = installs;
  orders_elsewhere_ = elsewhere;
  site_kept_ = true;
  writes.put(std::string(kSiteKey), json_read::dump({{"name", facts.name},
                                                     {"variables", facts.variables},
                                                     {"installs_at_once_max", installs},
                                                     {"orders_elsewhere", elsewhere}}));
}

void HostBook::open_attempts() {
  for (auto& [key, entry] : entries_) {
    HostRecord& record = entry->record;
    entry->heard = clock_.steady();
    if (record.token.empty()) continue;
    auto stored = state_.get(std::string(kAttemptPrefix) + record.token);
    auto attempt = !stored   ? Result<Attempt>(stored.error())
                   : *stored ? decode_attempt((*stored)->value)
                             : Result<Attempt>(fail(Errc::not_found, "attempt: not held"));
    if (attempt) {
      entry->attempt = std::make_shared<const Attempt>(std::move(*attempt));
      entry->attempt_durable = entry->pinned = true;
      entry->touched_durable = record.install.touched;
      entry->packages_before = record.install.packages;
      entry->tenths_saved = record.install.percent() / 10;
      for (const std::string& client : record.clients) by_client_[client] = entry.get();
      continue;
    }
    log::error("host.record_unreadable", log::kv("key", key),
               log::kv("error", attempt.error().what));
    Transaction writes;
    const InstallPhase before = record.install.phase;
    if (entry->under_way()) {
      record.install.phase = InstallPhase::failed;
      record.install.detail = "its record was lost";
    }
    record.token.clear();
    save(*entry, before, writes);
    writer_.write_later(std::move(writes));
  }
}

HostBook::Entry& HostBook::add(HostRecord record) {
  auto entry = std::make_unique<Entry>();
  entry->record = std::move(record);
  entry->heard = clock_.steady();
  const std::string key = entry->record.key();
  return *(entries_[key] = std::move(entry));
}

/// Whom a MAC, UUID or serial number means: a host that is wanted, else one that still installs,
/// else one nobody named. A host that is gone and has nothing under way is a stranger.
void HostBook::index() {
  by_mac_.clear();
  by_uuid_.clear();
  by_serial_.clear();
  by_token_.clear();
  const auto rank = [](const Entry& entry) {
    return entry.record.wanted ? 0 : entry.under_way() ? 1 : entry.record.spec.name.empty() ? 2 : 3;
  };
  for (const int wanted : {0, 1, 2}) {
    for (const auto& [key, entry] : entries_) {
      if (rank(*entry) != wanted) continue;
      const HostSpec& spec = entry->record.spec;
      for (const std::string& mac : spec.macs) by_mac_.emplace(mac, entry.get());
      if (!spec.uuid.empty() && !is_placeholder(spec.uuid))
        by_uuid_.emplace(spec.uuid, entry.get());
      if (!spec.serial.empty() && !is_placeholder(spec.serial))
        by_serial_.emplace(spec.serial, entry.get());
    }
  }
  for (const auto& [key, entry] : entries_)
    if (entry->attempt) by_token_.emplace(entry->attempt->token, entry.get());
}

HostBook::Entry* HostBook::find(const MachineId& machine) const {
  if (auto mac = normalise_mac(machine.mac))
    if (Entry* entry = look_up(by_mac_, *mac)) return entry;
  if (!machine.uuid.empty())
    if (Entry* entry = look_up(by_uuid_, lower(machine.uuid))) return entry;
  return machine.serial.empty() ? nullptr : look_up(by_serial_, machine.serial);
}

HostBook::Entry* HostBook::find_token(std::string_view token) const {
  return look_up(by_token_, token);
}

HostView HostBook::view(const Entry& entry) const {
  const HostRecord& record = entry.record;
  return {!record.spec.name.empty(), record.spec, record.install, record.entry, entry.attempt,
          elsewhere(record)};
}

/// An attempt of our own that is not over, or an order given here, we see through ourselves.
bool HostBook::elsewhere(const HostRecord& record) const {
  if (!orders_elsewhere_ || !record.wanted) return false;
  if (record.spec.install_order <= record.install.used) return false;
  const InstallAnswer answer = install_answer(record.install, settings_.install);
  return answer != InstallAnswer::start && answer != InstallAnswer::again;
}

HostView HostBook::look(const MachineId& machine) const {
  if (const Entry* entry = find(machine)) return view(*entry);
  HostView stranger;
  if (auto mac = normalise_mac(machine.mac)) stranger.spec.macs.push_back(*mac);
  return stranger;
}

HostView HostBook::attempt(std::string_view token) const {
  const Entry* entry = find_token(token);
  if (entry == nullptr || !entry->under_way()) return {};
  return view(*entry);
}

Task<Result<void>> HostBook::apply(DesiredState desired, std::string agent) {
  Transaction writes;
  if (!site_.name.empty() && site_.name != desired.site) leave_site(desired.site, writes);
  keep_site(desired, agent, writes);
  std::set<std::string> named;
  for (const HostSpec& spec : desired.hosts) {
    named.insert(spec.name);
    take_spec(spec, writes);
  }
  std::vector<std::string> blank;  // gone, and nothing ever happened to them
  for (auto& [key, entry] : entries_) {
    HostRecord& record = entry->record;
    if (!record.wanted || named.contains(key)) continue;
    const InstallPhase before = record.install.phase;
    record.wanted = false;
    disarm(record.install);
    save(*entry, before, writes);
    if (record.install.order == 0 && record.install.attempts == 0) blank.push_back(key);
  }
  for (const std::string& key : blank) forget(key, writes);
  while (make_room(writes) && entries_.size() > desired.hosts.size() + kUnknownHostsMax) {
  }
  index();
  auto written = co_await writer_.write(std::move(writes));
  if (!written) site_kept_ = false;
  co_return written;
}

/// The Pi was enrolled at another site: a host of the same name there is another machine, with
/// orders of its own.
void HostBook::leave_site(const std::string& next, Transaction& writes) {
  log::warn("host.site_left", log::kv("site", site_.name), log::kv("next", next),
            log::kv("hosts", entries_.size()));
  while (!entries_.empty()) forget(std::string(entries_.begin()->first), writes);
  for (const std::string& key : lost_) writes.erase(std::string(kHostPrefix) + key);
  lost_.clear();
  outbox_.clear(writes);
}

void HostBook::take_spec(const HostSpec& spec, Transaction& writes) {
  Entry* entry = nullptr;
  if (const auto found = entries_.find(spec.name); found != entries_.end()) {
    entry = found->second.get();
    // The name was given up and comes back on another machine: nothing of the old one counts.
    if (!entry->record.wanted && !same_machine(entry->record.spec, spec)) {
      forget(spec.name, writes);
      entry = nullptr;
    }
  }
  const bool remembered = entry != nullptr;
  if (entry == nullptr && adopt_unknown(spec, writes)) entry = entries_.at(spec.name).get();
  const bool fresh = entry == nullptr;
  if (fresh) {
    HostRecord record;
    record.spec = spec;
    record.since = clock_.wall();
    entry = &add(std::move(record));
  }
  HostRecord& record = entry->record;
  const InstallPhase before = record.install.phase;
  if (!remembered) take_baseline(record.install, baseline(spec));
  const std::uint64_t used = spec.install_done.value_or(0);
  const bool changed = orders_elsewhere_ ? leave_orders(record.install, used)
                                         : take_order(record.install, spec.install_order, used);
  if (!fresh && !changed && record.wanted && record.spec == spec) return;
  record.spec = spec;
  record.wanted = true;
  save(*entry, before, writes);
}

/// Up to which order a machine without a record here is not ours to install. Where that is not
/// known (the record rotted, the controller is an older one) none of its orders are: one that is
/// not carried out can be given again, a disk that was wiped cannot be given back.
std::uint64_t HostBook::baseline(const HostSpec& spec) {
  bool lost = lost_.erase(spec.name) > 0;
  for (const std::string& mac : spec.macs) lost = lost_.erase(mac) > 0 || lost;
  if (!lost && spec.install_done) return *spec.install_done;
  if (spec.install_order > 0)
    log::warn("host.order_left", log::kv("host", spec.name), log::kv("order", spec.install_order),
              log::kv("why", lost ? "its record could not be read" : "not known if it is done"));
  return spec.install_order;
}

/// A machine that installed from the menu gets a name: its attempt goes on under it.
bool HostBook::adopt_unknown(const HostSpec& spec, Transaction& writes) {
  for (const std::string& mac : spec.macs) {
    const auto found = entries_.find(mac);
    if (found == entries_.end()) continue;
    std::unique_ptr<Entry> entry = std::move(found->second);
    entries_.erase(found);
    writes.erase(std::string(kHostPrefix) + mac);
    entry->record.spec = spec;
    entries_[spec.name] = std::move(entry);
    return true;
  }
  return false;
}

void HostBook::forget(const std::string& key, Transaction& writes) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  forget_attempt(*found->second, writes);
  writes.erase(std::string(kHostPrefix) + key);
  entries_.erase(found);
}

/// Keeps the machines that nobody wants below their limit. False if all of them still install.
bool HostBook::make_room(Transaction& writes) {
  std::size_t unwanted = 0;
  const std::pair<const std::string, std::unique_ptr<Entry>>* oldest = nullptr;
  for (const auto& item : entries_) {
    const Entry& entry = *item.second;
    if (entry.record.wanted) continue;
    ++unwanted;
    if (entry.under_way()) continue;
    if (oldest == nullptr || entry.record.since < oldest->second->record.since) oldest = &item;
  }
  if (unwanted < kUnknownHostsMax) return true;
  if (oldest == nullptr) return false;
  const std::string key = oldest->first;
  forget(key, writes);
  index();
  return true;
}

Task<Result<void>> HostBook::arm(std::string host) {
  Entry* entry = look_up(by_mac_, host);
  if (const auto named = entries_.find(host); named != entries_.end()) entry = named->second.get();
  if (auto mac = normalise_mac(host); mac && entry == nullptr) entry = look_up(by_mac_, *mac);
  if (entry == nullptr || !entry->record.wanted)
    co_return fail(Errc::not_found, "host {}: not known at this site", printable(host));
  if (entry->record.spec.entry.empty())
    co_return fail(Errc::invalid, "host {}: is assigned no boot entry", printable(host));
  Transaction writes;
  const InstallPhase before = entry->record.install.phase;
  farboot::arm(entry->record.install, entry->record.spec.install_order);
  save(*entry, before, writes);
  co_return co_await writer_.write(std::move(writes));
}

std::vector<HostStatus> HostBook::hosts() const {
  std::vector<HostStatus> out, others;
  for (const auto& [key, entry] : entries_) {
    const HostRecord& record = entry->record;
    if (record.wanted) out.push_back(status_of(record));
    if (!record.wanted && record.install.attempts > 0) others.push_back(status_of(record));
  }
  std::stable_sort(others.begin(), others.end(),
                   [](const HostStatus& a, const HostStatus& b) { return a.since > b.since; });
  std::move(others.begin(), others.end(), std::back_inserter(out));
  return out;
}

std::vector<HostEvent> HostBook::pending_events(std::size_t events_max) const {
  return outbox_.pending(events_max);
}

Task<Result<void>> HostBook::acknowledge(std::uint64_t sequence) {
  Transaction writes;
  outbox_.acknowledge(sequence, writes);
  co_return co_await writer_.write(std::move(writes));
}

}  // namespace farboot
