#include "controller/fleet/site.h"

#include <algorithm>
#include <set>

#include "controller/state/json.h"

namespace farboot {
namespace {

constexpr unsigned kSiteFormat = 1;  // on disk: never reuse a number
constexpr std::size_t kSerialBytesMax = 128;
/// More orders of one host than an operator gives; a number beyond is no order of ours.
constexpr std::uint64_t kOrdersMax = 1'000'000'000'000;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// Everything a machine may be known by, each with its kind in front.
std::vector<std::string> identities(const HostSpec& host) {
  std::vector<std::string> out{"name:" + host.name};
  for (const std::string& mac : host.macs) out.push_back("mac:" + mac);
  if (!host.uuid.empty()) out.push_back("uuid:" + host.uuid);
  if (!host.serial.empty()) out.push_back("serial:" + host.serial);
  return out;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !digit) return false;
  }
  return true;
}

Json host_json(const HostSpec& host) {
  Json object;
  object["name"] = host.name;
  object["macs"] = host.macs;
  object["uuid"] = host.uuid;
  object["serial"] = host.serial;
  object["entry"] = host.entry;
  object["install_order"] = host.install_order;
  object["variables"] = host.variables;
  return object;
}

std::map<std::string, std::uint64_t> numbers_at(const Json& object, const char* key) {
  std::map<std::string, std::uint64_t> out;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return out;
  for (const auto& [name, number] : found->items())
    if (number.is_number_unsigned()) out[name] = number.get<std::uint64_t>();
  return out;
}

HostSpec host_from(const Json& object) {
  HostSpec host;
  host.name = text_at(object, "name");
  host.macs = list_at(object, "macs");
  host.uuid = text_at(object, "uuid");
  host.serial = text_at(object, "serial");
  host.entry = text_at(object, "entry");
  host.install_order = number_at(object, "install_order");
  host.variables = map_at(object, "variables");
  return host;
}

/// A host that was never ordered has used up nothing; of others it is known or not.
void look_up_done(Site& site, HostSpec& host) {
  if (host.install_order == 0) site.done.emplace(host.name, 0);
  const auto found = site.done.find(host.name);
  host.install_done =
      found == site.done.end() ? std::nullopt : std::optional<std::uint64_t>(found->second);
}

}  // namespace

const HostSpec* Site::host(std::string_view wanted) const {
  const auto found = std::find_if(hosts.begin(), hosts.end(),
                                  [&](const HostSpec& host) { return host.name == wanted; });
  return found == hosts.end() ? nullptr : &*found;
}

Result<void> check_variables(std::string_view what, const Variables& variables) {
  if (variables.size() > kVariablesMax)
    return fail(Errc::invalid, "{}: {} variables, at most {} are possible", what, variables.size(),
                kVariablesMax);
  for (const auto& [name, value] : variables) {
    if (name.empty() || name.size() > kVariableNameBytesMax || !is_utf8(name) || has_control(name))
      return fail(Errc::invalid, "{}: variable {}: not a name", what, printable(name));
    if (value.size() > kVariableBytesMax || !is_utf8(value))
      return fail(Errc::invalid, "{}: variable {}: want UTF-8 of at most {} bytes", what,
                  printable(name), kVariableBytesMax);
    if (value.find('\0') != std::string::npos)
      return fail(Errc::invalid, "{}: variable {}: a NUL character", what, printable(name));
  }
  return {};
}

Result<void> normalise_host(HostSpec& host) {
  if (!is_name(host.name))
    return fail(Errc::invalid, "host {}: not a name ([a-z0-9][a-z0-9._-]*)", printable(host.name));
  const std::string what = "host " + host.name;
  if (host.macs.size() > kMacsPerHostMax)
    return fail(Errc::invalid, "{}: {} MACs, at most {} are possible", what, host.macs.size(),
                kMacsPerHostMax);
  for (std::string& mac : host.macs) {
    const auto normal = normalise_mac(mac);
    if (!normal) return prefix(what, normal.error());
    mac = *normal;
  }
  std::transform(host.uuid.begin(), host.uuid.end(), host.uuid.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!host.uuid.empty() && !is_uuid(host.uuid))
    return fail(Errc::invalid, "{}: uuid {}: want 8-4-4-4-12 hexadecimal digits", what,
                printable(host.uuid));
  if (host.serial.size() > kSerialBytesMax || !is_utf8(host.serial))
    return fail(Errc::invalid, "{}: serial {}: want UTF-8 of at most {} bytes", what,
                printable(host.serial), kSerialBytesMax);
  if (has_control(host.serial))
    return fail(Errc::invalid, "{}: serial {}: control characters", what, printable(host.serial));
  if (host.macs.empty() && host.uuid.empty() && host.serial.empty())
    return fail(Errc::invalid, "{}: has no mac, uuid or serial to know it by", what);
  if (!host.entry.empty() && !is_name(host.entry))
    return fail(Errc::invalid, "{}: entry {}: not a name", what, printable(host.entry));
  return check_variables(what, host.variables);
}

Result<void> normalise_site(SiteWish& wish) {
  if (!is_name(wish.name))
    return fail(Errc::invalid, "site {}: not a name ([a-z0-9][a-z0-9._-]*)", printable(wish.name));
  const std::string what = "site " + wish.name;
  if (wish.hosts.size() > kHostsPerSiteMax)
    return fail(Errc::invalid, "{}: {} hosts, at most {} are possible", what, wish.hosts.size(),
                kHostsPerSiteMax);
  if (wish.limits.installs_at_once_max > kInstallsAtOnceMax)
    return fail(Errc::invalid, "{}: installs_at_once_max {}: at most {}", what,
                wish.limits.installs_at_once_max, kInstallsAtOnceMax);
  for (const Variables* variables : {&wish.variables, &wish.labels}) {
    const auto good = check_variables(what, *variables);
    if (!good) return good.error();
  }
  std::map<std::string, std::string> known;
  for (HostWish& host : wish.hosts) {
    const auto good = normalise_host(host.host);
    if (!good) return prefix(what, good.error());
    for (const std::string& identity : identities(host.host)) {
      const auto [other, fresh] = known.emplace(identity, host.host.name);
      if (!fresh)
        return fail(Errc::invalid, "{}: host {}: {} is host {}'s already", what, host.host.name,
                    identity, other->second);
    }
  }
  std::sort(wish.hosts.begin(), wish.hosts.end(),
            [](const HostWish& a, const HostWish& b) { return a.host.name < b.host.name; });
  return {};
}

Site merge_site(const Site& before, const SiteWish& wish) {
  Site site = before;
  site.name = wish.name;
  site.labels = wish.labels;
  site.variables = wish.variables;
  site.limits = wish.limits;
  site.hosts.clear();
  for (const HostWish& wanted : wish.hosts) {
    HostSpec host = wanted.host;
    const auto own = before.orders.find("name:" + host.name);
    host.install_order = own == before.orders.end() ? 0 : own->second;
    look_up_done(site, host);
    const std::vector<std::string> known = identities(host);
    const bool ordered_before =
        std::any_of(known.begin(), known.end(),
                    [&](const std::string& each) { return before.orders.contains(each); });
    if (wanted.install && !ordered_before) host.install_order = 1;
    site.hosts.push_back(std::move(host));
  }
  remember_orders(site);
  return site;
}

void remember_orders(Site& site) {
  for (const HostSpec& host : site.hosts) {
    if (host.install_order == 0) continue;
    for (const std::string& identity : identities(host)) {
      std::uint64_t& order = site.orders[identity];
      order = std::max(order, host.install_order);
    }
  }
}

bool use_up_orders(Site& site, const std::map<std::string, std::uint64_t>& used) {
  bool fresh = false;
  for (const auto& [name, order] : used) {
    if (order > kOrdersMax || !site.orders.contains("name:" + name)) continue;
    const auto found = site.done.find(name);
    if (found != site.done.end() && found->second >= order) continue;
    site.done[name] = order;
    fresh = true;
  }
  for (HostSpec& host : site.hosts) look_up_done(site, host);
  return fresh;
}

std::string encode_site(const Site& site) {
  Json object;
  object["labels"] = site.labels;
  object["variables"] = site.variables;
  object["wan_bytes_per_second"] = site.limits.wan_bytes_per_second;
  object["installs_at_once_max"] = site.limits.installs_at_once_max;
  object["hosts"] = Json::array();
  for (const HostSpec& host : site.hosts) object["hosts"].push_back(host_json(host));
  object["orders"] = site.orders;
  object["done"] = site.done;
  object["ordered_in"] = site.ordered_in;
  return write_record(std::move(object), kSiteFormat);
}

Result<Site> decode_site(std::string_view name, std::string_view record) {
  const auto object = read_record(fmt::format("site {}", name), record, kSiteFormat);
  if (!object) return object.error();
  Site site;
  site.name = name;
  site.labels = map_at(*object, "labels");
  site.variables = map_at(*object, "variables");
  site.limits.wan_bytes_per_second = number_at(*object, "wan_bytes_per_second");
  site.limits.installs_at_once_max =
      static_cast<std::uint32_t>(number_at(*object, "installs_at_once_max"));
  for (const Json& host : array_at(*object, "hosts")) site.hosts.push_back(host_from(host));
  site.orders = numbers_at(*object, "orders");
  site.done = numbers_at(*object, "done");
  site.ordered_in = numbers_at(*object, "ordered_in");
  for (HostSpec& host : site.hosts) look_up_done(site, host);
  return site;
}

}  // namespace farboot
