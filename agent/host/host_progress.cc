// The host book's second half: attempts, from the script that begins one to its end.
#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/host/host_entry.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::size_t kClientsMax = 4;   ///< addresses one attempt comes from
constexpr std::size_t kDetailMax = 200;  ///< characters of a machine's own words
constexpr Seconds kTick{30};
const Result<void> kFine;  // named: g++ 12 misreads a default-made one inside co_return

std::string attempt_key(std::string_view token) {
  return std::string(kAttemptPrefix).append(token);
}

Error unwritten(const Error& error) {
  return fail(Errc::unavailable, "install attempt: not recorded: {}", error.what);
}

}  // namespace

Result<std::shared_ptr<Attempt>> HostBook::make_attempt(const Begin& order) const {
  if (order.snapshot == nullptr) return fail(Errc::unavailable, "no release is active");
  const Release& release = order.snapshot->release;
  const BootEntry* entry = release.entry(order.entry);
  if (entry == nullptr)
    return fail(Errc::not_found, "entry {}: not in release r{}", printable(order.entry),
                release.number);
  auto mac = normalise_mac(order.machine.mac);
  if (!mac) return mac.error();
  auto token = make_token();
  if (!token) return token.error();
  auto attempt = std::make_shared<Attempt>();
  attempt->token = *token;
  attempt->mac = *mac;
  attempt->uuid = order.machine.uuid;
  attempt->serial = order.machine.serial;
  attempt->entry = entry->name;
  attempt->release = order.snapshot->digest;
  attempt->part = release_part(release, entry->name);
  attempt->began = clock_.wall();
  const Manifest* tree = nullptr;
  if (const Image* image = release.image(entry->image)) {
    const auto found = order.snapshot->trees.find(image->manifest);
    if (found == order.snapshot->trees.end())
      return fail(Errc::internal, "entry {}: its tree is not loaded", entry->name);
    attempt->manifest = image->manifest;
    tree = found->second.get();
  }
  attempt->traits = traits_of(release, *entry, tree);
  // Arguments of the operator's own may name another kickstart: ours is never asked for then.
  if (order.kickstart == Kickstart::elsewhere)
    attempt->traits.has_kickstart = attempt->traits.reports = false;
  attempt->site = site_;
  if (const Entry* known = find(order.machine)) {
    attempt->host.name = known->record.spec.name;
    attempt->host.variables = known->record.spec.variables;
  }
  return attempt;
}

Task<Result<std::shared_ptr<const Attempt>>> HostBook::begin(Begin order) {
  auto made = make_attempt(order);
  if (!made) co_return made.error();
  const std::shared_ptr<const Attempt> attempt = *made;
  Transaction writes;
  Entry* entry = find(order.machine);
  const bool ordered =
      entry != nullptr &&
      install_answer(entry->record.install, settings_.install) == InstallAnswer::start;
  if (!order.by_menu && !ordered)
    co_return fail(Errc::conflict, "machine {}: no install was ordered", attempt->mac);
  if (entry != nullptr && elsewhere(entry->record))
    co_return fail(Errc::conflict, "machine {}: another agent of the site is to install it",
                   attempt->mac);
  if (const bool stranger = entry == nullptr || entry->record.spec.name.empty();
      stranger && strangers_of(order.client, entry) >= kStrangersPerClient)
    co_return fail(Errc::exhausted, "client {}: {} unknown machines install from there already",
                   printable(order.client, 64), kStrangersPerClient);
  if (entry == nullptr) {
    if (!make_room(writes))
      co_return fail(Errc::exhausted, "host book: {} unknown machines install already",
                     kUnknownHostsMax);
    HostRecord record;
    record.spec.macs = {attempt->mac};
    entry = &add(std::move(record));
  }
  HostRecord& record = entry->record;
  InstallPhase before = record.install.phase;
  if (entry->under_way()) {
    end_on_return(record.install);
    save(*entry, before, writes);
    before = record.install.phase;
  }
  forget_attempt(*entry, writes);
  begin_attempt(record.install, attempt->traits, order.by_menu);
  record.token = attempt->token;
  record.entry = attempt->entry;
  record.release = attempt->part.number;
  entry->attempt = attempt;
  entry->attempt_durable = entry->touched_durable = false;
  entry->ended_for = Seconds{0};
  entry->packages_seen.clear();
  entry->packages_counted = entry->packages_before = entry->tenths_saved = 0;
  for (const Digest& manifest : attempt->trees()) {
    const auto tree = order.snapshot->trees.find(manifest);
    if (tree == order.snapshot->trees.end()) continue;
    catalog_.pin(attempt->token, manifest, tree->second);
    entry->pinned = true;
  }
  bind_client(*entry, order.client);
  put_attempt(*entry, writes);
  save(*entry, before, writes);
  index();

  auto written = co_await writer_.write(std::move(writes));
  entry = find_token(attempt->token);
  if (!written) {
    // The script does not go out, so this boot did not count. The next one writes all of it again.
    if (entry != nullptr && entry->record.install.boots > 0) --entry->record.install.boots;
    co_return unwritten(written.error());
  }
  if (entry != nullptr) entry->attempt_durable = true;
  co_return attempt;
}

Task<Result<std::shared_ptr<const Attempt>>> HostBook::again(MachineId machine,
                                                             std::string client) {
  Entry* entry = find(machine);
  if (entry == nullptr || !entry->attempt ||
      install_answer(entry->record.install, settings_.install) != InstallAnswer::again)
    co_return fail(Errc::conflict, "machine {}: has no attempt to repeat", printable(machine.mac));
  const std::shared_ptr<const Attempt> attempt = entry->attempt;
  Transaction writes;
  boot_again(entry->record.install);
  bind_client(*entry, client);
  if (!entry->attempt_durable) put_attempt(*entry, writes);
  save(*entry, entry->record.install.phase, writes);
  auto written = co_await writer_.write(std::move(writes));
  entry = find_token(attempt->token);
  if (!written) {
    if (entry != nullptr && entry->record.install.boots > 0) --entry->record.install.boots;
    co_return unwritten(written.error());
  }
  if (entry != nullptr) entry->attempt_durable = true;
  co_return attempt;
}

Task<Result<void>> HostBook::came_back(MachineId machine) {
  Entry* entry = find(machine);
  if (entry == nullptr ||
      install_answer(entry->record.install, settings_.install) != InstallAnswer::came_back)
    co_return kFine;
  Transaction writes;
  const InstallPhase before = entry->record.install.phase;
  end_on_return(entry->record.install);
  save(*entry, before, writes);
  co_return co_await writer_.write(std::move(writes));
}

void HostBook::put_attempt(Entry& entry, Transaction& writes) {
  const Attempt& attempt = *entry.attempt;
  writes.put(attempt_key(attempt.token), encode_attempt(attempt));
  if (entry.pinned) writes.put(pin_key(attempt.token), pin_value(attempt.trees()));
}

void HostBook::forget_attempt(Entry& entry, Transaction& writes) {
  HostRecord& record = entry.record;
  for (const std::string& client : record.clients) {
    const auto bound = by_client_.find(client);
    if (bound != by_client_.end() && bound->second == &entry) by_client_.erase(bound);
  }
  record.clients.clear();
  if (record.token.empty()) return;
  writes.erase(attempt_key(record.token)).erase(pin_key(record.token));
  catalog_.unpin(record.token);
  if (const auto found = by_token_.find(record.token); found != by_token_.end())
    by_token_.erase(found);
  record.token.clear();
  entry.attempt.reset();
  entry.pinned = false;
}

void HostBook::bind_client(Entry& entry, const std::string& client) {
  entry.heard = clock_.steady();
  if (client.empty()) return;
  by_client_[client] = &entry;  // an address that another machine had before means us now
  std::vector<std::string>& clients = entry.record.clients;
  if (std::find(clients.begin(), clients.end(), client) != clients.end()) return;
  if (clients.size() >= kClientsMax) {
    const auto bound = by_client_.find(clients.front());
    if (bound != by_client_.end() && bound->second == &entry) by_client_.erase(bound);
    clients.erase(clients.begin());
  }
  clients.push_back(client);
}

void HostBook::save(Entry& entry, InstallPhase before, Transaction& writes) {
  HostRecord& record = entry.record;
  const auto tell = [&] {
    record.since = clock_.wall();
    HostStatus status = status_of(record);
    const bool named = !record.spec.name.empty();
    if (const auto left_out = phases_.of(named).take(clock_.steady()))
      log::info("host.phase", log::kv("host", status.host),
                log::kv("phase", to_string(status.phase)), log::kv("entry", status.entry),
                log::kv("detail", status.detail), log::kv("left_out", *left_out));
    outbox_.add(std::move(status), writes);
  };
  if (record.install.phase != before) tell();
  if (rearm(record.install)) tell();
  record.saved = clock_.wall();
  record.saved_boot = settings_.boot_id;
  record.saved_uptime = uptime();
  writes.put(std::string(kHostPrefix) + record.key(), encode_host_record(record));
}

Task<Result<void>> HostBook::kickstart_served(std::string token, std::string client) {
  Entry* entry = find_token(token);
  if (entry == nullptr || !entry->under_way())
    co_return fail(Errc::not_found, "kickstart: unknown or ended attempt");
  Transaction writes;
  const InstallPhase before = entry->record.install.phase;
  serve_kickstart(entry->record.install);
  bind_client(*entry, client);
  if (entry->touched_durable) co_return kFine;
  if (!entry->attempt_durable) put_attempt(*entry, writes);
  save(*entry, before, writes);
  auto written = co_await writer_.write(std::move(writes));
  if (!written) co_return unwritten(written.error());
  entry = find_token(token);
  if (entry != nullptr) entry->touched_durable = entry->attempt_durable = true;
  co_return kFine;
}

void HostBook::fetched(std::string_view client, const CatalogFile& file) {
  const auto bound = by_client_.find(client);
  if (bound == by_client_.end() || file.entry == nullptr) return;
  Entry& entry = *bound->second;
  if (!entry.under_way() || !entry.attempt || file.manifest != entry.attempt->manifest) return;
  entry.heard = clock_.steady();
  InstallState& install = entry.record.install;
  const InstallPhase before = install.phase;
  const bool was_touched = install.touched;
  const std::string& path = file.entry->path;
  if (is_package(path)) {
    count_package(entry, file);
  } else if (!entry.attempt->part.images.empty()) {
    const ImageFacts& facts = entry.attempt->part.images.front().facts;
    if (path == facts.kernel) note_fetched(install, FetchedPart::kernel);
    if (path == facts.initrd) note_fetched(install, FetchedPart::initrd);
    if (path == facts.stage2) note_fetched(install, FetchedPart::stage2);
    if (path.ends_with(".wim")) note_fetched(install, FetchedPart::initrd);
    if (path.ends_with("repodata/repomd.xml")) note_fetched(install, FetchedPart::repodata);
  }
  const std::uint32_t tenths = install.percent() / 10;
  if (install.phase == before && install.touched == was_touched && tenths <= entry.tenths_saved)
    return;
  entry.tenths_saved = tenths;
  Transaction writes;
  save(entry, before, writes);
  writer_.write_later(std::move(writes));
}

void HostBook::count_package(Entry& entry, const CatalogFile& file) {
  if (file.tree == nullptr) return;
  const std::vector<FileEntry>& files = file.tree->files;
  const FileEntry* listed = file.tree->find(file.entry->path);
  if (listed == nullptr) return;
  const auto index = static_cast<std::size_t>(listed - files.data());
  if (entry.packages_seen.size() != files.size()) entry.packages_seen.assign(files.size(), false);
  if (entry.packages_seen[index]) return;
  entry.packages_seen[index] = true;
  ++entry.packages_counted;
  note_packages(entry.record.install, std::min(entry.packages_before + entry.packages_counted,
                                               std::max(1u, entry.attempt->traits.packages_total)));
}

Task<Result<void>> HostBook::report(std::string token, Report what, std::string detail) {
  Entry* entry = find_token(token);
  if (entry == nullptr) co_return fail(Errc::not_found, "event: unknown or expired attempt");
  entry->heard = clock_.steady();
  InstallState& install = entry->record.install;
  const InstallPhase before = install.phase;
  const bool was_reported = install.reported;
  detail = printable(detail, kDetailMax);
  switch (what) {
    case Report::installed: report_installed(install, std::move(detail)); break;
    case Report::failed: report_failed(install, std::move(detail)); break;
    case Report::note:
      // For people who watch; not worth a write to the card.
      if (entry->under_way()) install.detail = std::move(detail);
      co_return kFine;
  }
  if (install.phase == before && install.reported == was_reported) co_return kFine;
  Transaction writes;
  save(*entry, before, writes);
  co_return co_await writer_.write(std::move(writes));
}

void HostBook::age(Entry& entry, Seconds passed, Transaction& writes) {
  InstallState& install = entry.record.install;
  const InstallPhase before = install.phase;
  if (pass_time(install, passed, settings_.install)) save(entry, before, writes);
  if (entry.record.token.empty() || install.under_way()) return;
  entry.ended_for += passed;
  if (install.age >= settings_.install.attempt_life) {
    forget_attempt(entry, writes);
    save(entry, install.phase, writes);
  } else if (entry.pinned && entry.ended_for >= settings_.pin_grace) {
    catalog_.unpin(entry.record.token);
    writes.erase(pin_key(entry.record.token));
    entry.pinned = false;
  }
}

void HostBook::tick() {
  const Seconds passed = std::chrono::duration_cast<Seconds>(clock_.steady() - last_tick_);
  if (passed <= Seconds{0}) return;
  last_tick_ += passed;
  Transaction writes;
  for (auto& [key, entry] : entries_) age(*entry, passed, writes);
  writer_.write_later(std::move(writes));
  writer_.retry();
}

std::map<std::string, std::string> HostBook::clients() const {
  std::map<std::string, std::string> clients;
  for (const auto& [client, entry] : by_client_)
    if (entry->attempt) clients.emplace(entry->attempt->mac, client);
  return clients;
}

Task<Result<void>> HostBook::flush() { co_return co_await writer_.flush(); }

Task<void> HostBook::keep_time() {
  boost::asio::steady_timer timer(executor_);
  for (;;) {
    timer.expires_after(kTick);
    const auto [error] =
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return;
    tick();
  }
}

HostBook::Running HostBook::running() const {
  const SteadyTime since = clock_.steady() - settings_.quiet_max;
  Running running;
  for (const auto& [key, entry] : entries_)
    if (entry->under_way() && entry->heard >= since)
      ++(entry->record.spec.name.empty() ? running.strangers : running.named);
  return running;
}

bool HostBook::has_room(Whose whose) const {
  const Running now = running();
  const std::uint32_t most = installs_at_once_max();
  if (whose == Whose::named) return now.named < most;
  return now.named + now.strangers < most && now.strangers < std::max(1u, most / 2);
}

/// Attempts of machines nobody named that came from `client` lately, but `except`'s.
std::size_t HostBook::strangers_of(const std::string& client, const Entry* except) const {
  const SteadyTime since = clock_.steady() - settings_.quiet_max;
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& item) {
        const Entry& entry = *item.second;
        const std::vector<std::string>& clients = entry.record.clients;
        return &entry != except && entry.record.spec.name.empty() && entry.under_way() &&
               entry.heard >= since &&
               std::find(clients.begin(), clients.end(), client) != clients.end();
      }));
}

std::uint32_t HostBook::installs_at_once_max() const {
  return site_installs_max_ != 0 ? site_installs_max_ : settings_.installs_at_once_max;
}

}  // namespace farboot
