#include "controller/fleet/fleet.h"

#include <algorithm>

#include "common/base/log.h"
#include "controller/fleet/releases_before.h"
#include "controller/fleet/removed_site.h"

namespace farboot {
namespace {

constexpr std::string_view kSitePrefix = "site/";
/// Desired states that a site is signed while a copy of the controller is kept: an agent that says
/// it is further ahead lies.
constexpr std::uint64_t kNumbersAheadMax = 1'000'000;

std::string site_key(std::string_view site) { return std::string(kSitePrefix) + std::string(site); }
std::string desired_key(std::string_view site) { return "desired/" + std::string(site); }

Result<Site> read_site(const StateEntry& entry) {
  auto site = decode_site(std::string_view(entry.key).substr(kSitePrefix.size()), entry.value);
  if (!site) return site.error();
  site->revision = entry.revision;
  return std::move(*site);
}

/// Notes which orders are new in the desired state that follows `before`.
void number_orders(Site& site, const DesiredState& before) {
  std::map<std::string_view, std::uint64_t> ordered;
  for (const HostSpec& host : before.hosts) ordered[host.name] = host.install_order;
  for (const HostSpec& host : site.hosts) {
    if (host.install_order == 0) continue;
    const auto was = ordered.find(host.name);
    const bool fresh = was == ordered.end() ? !site.ordered_in.contains(host.name)
                                            : was->second < host.install_order;
    if (fresh) site.ordered_in[host.name] = before.number + 1;
  }
}

}  // namespace

Result<std::vector<Site>> Fleet::sites() const {
  const auto entries = state_.scan(kSitePrefix);
  if (!entries) return entries.error();
  std::vector<Site> out;
  for (const StateEntry& entry : *entries) {
    auto site = read_site(entry);
    if (!site) return site.error();
    out.push_back(std::move(*site));
  }
  return out;
}

Result<Site> Fleet::site(std::string_view name) const {
  const auto entry = state_.get(site_key(name));
  if (!entry) return entry.error();
  if (!*entry)
    return fail(Errc::not_found, "site {}: does not exist; `farboot site list` shows those that do",
                printable(name));
  return read_site(**entry);
}

Result<Fleet::Desired> Fleet::load_desired(std::string_view site) const {
  const auto entry = state_.get(desired_key(site));
  if (!entry) return entry.error();
  Desired desired;
  desired.state.site = site;
  if (!*entry) return desired;
  const auto document = decode_signed(as_bytes((*entry)->value));
  if (!document) return prefix(fmt::format("desired state of {}", site), document.error());
  auto state = decode_desired_state(document->document);
  if (!state) return prefix(fmt::format("desired state of {}", site), state.error());
  desired.state = std::move(*state);
  desired.revision = (*entry)->revision;
  desired.digest = document->digest();
  return desired;
}

Result<DesiredState> Fleet::desired(std::string_view site) const {
  auto desired = load_desired(site);
  if (!desired) return desired.error();
  if (desired->revision == 0)
    return fail(Errc::not_found, "site {}: has no desired state", printable(site));
  return std::move(desired->state);
}

/// Writes `next` as the successor of `before`, signed, unless it says the same.
Result<void> Fleet::put_desired(Transaction& transaction, const Desired& before,
                                DesiredState next) const {
  next.number = before.state.number;
  next.issued = before.state.issued;
  if (before.revision == 0 || next != before.state)
    return sign_desired(transaction, before, std::move(next));
  transaction.expect(desired_key(next.site), before.revision);
  return {};
}

/// Nothing is signed that cannot be read back: neither we nor an agent could ever get past it
/// again.
Result<void> Fleet::sign_desired(Transaction& transaction, const Desired& before,
                                 DesiredState next) const {
  const std::string key = desired_key(next.site);
  next.number = before.state.number + 1;
  next.issued = std::chrono::floor<Seconds>(clock_.wall());
  Bytes bytes = encode_desired_state(next);
  if (bytes.size() > kDesiredStateBytesMax)
    return fail(Errc::exhausted,
                "site {}: its desired state would be {} bytes long, at most {} are possible: fewer "
                "hosts, or fewer or shorter variables",
                next.site, bytes.size(), kDesiredStateBytesMax);
  const auto sound = decode_desired_state(bytes);
  if (!sound) return prefix(fmt::format("site {}", next.site), sound.error());
  const SignedDocument document = key_.sign(DocumentKind::desired_state, std::move(bytes));
  if (next.serve != before.state.serve || next.stage != before.state.stage) {
    const auto remembered = remember_releases(state_, transaction, before.state);
    if (!remembered) return prefix(fmt::format("site {}", next.site), remembered.error());
  }
  transaction.expect(key, before.revision).put(key, std::string(as_text(encode_signed(document))));
  return {};
}

Result<void> Fleet::put_site(Transaction& transaction, const Site& site) const {
  const auto before = load_desired(site.name);
  if (!before) return before.error();
  DesiredState next = before->state;
  next.site = site.name;
  next.variables = site.variables;
  next.hosts = site.hosts;
  next.limits = site.limits;
  if (site.revision != 0) {
    const auto stored = this->site(site.name);
    if (!stored) return stored.error();
    if (*stored == site) return {};
  }
  Site numbered = site;
  number_orders(numbered, before->state);
  transaction.expect(site_key(site.name), site.revision)
      .put(site_key(site.name), encode_site(numbered));
  return put_desired(transaction, *before, std::move(next));
}

Result<void> Fleet::remove_site(Transaction& transaction, const Site& site) const {
  // Numbers of desired states must never start again at a site, or agents that come back would
  // refuse the new ones: the desired state stays, with no hosts.
  const auto before = load_desired(site.name);
  if (!before) return before.error();
  DesiredState next = before->state;
  next.hosts.clear();
  next.variables.clear();
  next.limits = {};
  next.stage.reset();
  next.serve.reset();
  transaction.expect(site_key(site.name), site.revision).erase(site_key(site.name));
  remember_removed(transaction, site);
  return put_desired(transaction, *before, std::move(next));
}

Result<void> Fleet::order_releases(Transaction& transaction, std::string_view site,
                                   const Releases& releases) const {
  const auto exists = this->site(site);
  if (!exists) return exists.error();
  const auto before = load_desired(site);
  if (!before) return before.error();
  DesiredState next = before->state;
  next.stage = releases.stage;
  next.serve = releases.serve;
  transaction.expect(site_key(site), exists->revision);
  return put_desired(transaction, *before, std::move(next));
}

Result<void> Fleet::sign_above(const std::string& agent, const std::string& site,
                               const HeldState& held) {
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    auto before = load_desired(site);
    if (!before) return before.error();
    const std::uint64_t ours = before->state.number;
    const bool other = held.document && before->digest && *held.document != *before->digest;
    if (before->revision == 0 || held.number < ours || (held.number == ours && !other)) return {};
    if (held.number - ours > kNumbersAheadMax)
      return fail(Errc::denied, "agent {}: says it holds desired state {}, ours is {}", agent,
                  held.number, ours);
    const DesiredState next = before->state;
    before->state.number = held.number;
    Transaction transaction;
    const auto put = sign_desired(transaction, *before, next);
    if (!put) return put.error();
    const auto done = state_.commit(transaction);
    if (!done && done.error().code == Errc::conflict) continue;
    if (!done) return done.error();
    log::warn("fleet.signed_above", log::kv("agent", agent), log::kv("held", held.number),
              log::kv("ours", ours));
    changed_.notify();
    return {};
  }
  return fail(Errc::conflict, "site {}: others keep changing it", site);
}

/// `change(site)` returns the host it changed; committed, and tried again if the site changed
/// meanwhile.
template <class Change>
Result<HostSpec> Fleet::change_site(std::string_view name, Change change) {
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    auto before = site(name);
    if (!before) return before.error();
    Result<HostSpec> host = change(*before);
    if (!host) return prefix(fmt::format("site {}", name), host.error());
    remember_orders(*before);
    Transaction transaction;
    const auto put = put_site(transaction, *before);
    if (!put) return put.error();
    const auto done = state_.commit(transaction);
    if (done) {
      changed_.notify();
      return host;
    }
    if (done.error().code != Errc::conflict) return done.error();
  }
  return fail(Errc::conflict, "site {}: others keep changing it; try again", name);
}

Result<void> Fleet::settle_site(const std::string& site,
                                const std::map<std::string, std::uint64_t>& used) {
  const auto settled = change_site(site, [&](Site& changed) -> Result<HostSpec> {
    use_up_orders(changed, used);
    return HostSpec{};
  });
  if (settled || settled.error().code == Errc::not_found) return {};  // or the site is gone
  return settled.error();
}

Result<HostSpec> Fleet::order_install(std::string_view site, std::string_view host) {
  return change_site(site, [&](Site& changed) -> Result<HostSpec> {
    const auto found = std::find_if(changed.hosts.begin(), changed.hosts.end(),
                                    [&](const HostSpec& each) { return each.name == host; });
    if (found == changed.hosts.end())
      return fail(Errc::not_found,
                  "host {}: does not exist; `farboot host list` shows those that do",
                  printable(host));
    if (found->entry.empty())
      return fail(Errc::invalid,
                  "host {}: has no entry, so there is nothing to install; "
                  "`farboot host set {}/{} --entry NAME`, or write it in the fleet directory",
                  host, site, host);
    // A controller that was put back from an older copy counts on from what the site has seen.
    found->install_order = std::max(found->install_order, found->install_done.value_or(0)) + 1;
    return *found;
  });
}

Result<HostSpec> Fleet::set_host(std::string_view site, std::string_view host,
                                 const HostChange& change) {
  return change_site(site, [&](Site& changed) -> Result<HostSpec> {
    SiteWish wish{changed.name, changed.labels, changed.variables, changed.limits, {}};
    HostSpec next;
    next.name = host;
    for (const HostSpec& each : changed.hosts) {
      if (each.name == host)
        next = each;
      else
        wish.hosts.push_back({each, false});
    }
    if (change.entry) next.entry = *change.entry;
    if (change.uuid) next.uuid = *change.uuid;
    if (change.serial) next.serial = *change.serial;
    if (!change.macs.empty()) next.macs = change.macs;
    for (const auto& [name, value] : change.variables) next.variables[name] = value;
    for (const std::string& name : change.remove_variables) next.variables.erase(name);
    wish.hosts.push_back({next, false});
    const auto good = normalise_site(wish);
    if (!good) return good.error();
    changed = merge_site(changed, wish);
    return *changed.host(host);
  });
}

}  // namespace farboot
