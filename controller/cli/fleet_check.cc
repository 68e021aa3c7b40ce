#include "controller/cli/fleet_check.h"

#include <algorithm>
#include <map>
#include <set>

namespace farboot {
namespace {

/// One thing that must not be known twice in the whole fleet: says both places.
class Unique {
 public:
  Unique(std::string what, Findings& findings) : what_(std::move(what)), findings_(findings) {}

  void add(const std::string& value, const Place& place, const std::string& host) {
    const auto [first, fresh] = seen_.emplace(value, std::pair(place, host));
    if (fresh) return;
    const auto& [other_place, other_host] = first->second;
    if (other_host == host) {
      findings_.error(place, fmt::format("{} {} stands twice", what_, value));
      return;
    }
    findings_.error(place, fmt::format("{} {} is {}'s already ({}); take it from one of the two",
                                       what_, value, other_host, to_string(other_place)));
    findings_.error(other_place,
                    fmt::format("{} {} is {}'s too ({})", what_, value, host, to_string(place)));
  }

 private:
  std::string what_;
  Findings& findings_;
  std::map<std::string, std::pair<Place, std::string>> seen_;
};

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !digit) return false;
  }
  return true;
}

void check_host(const FleetDirectory& fleet, FleetHost& host, Findings& findings) {
  HostSpec& spec = host.host;
  std::transform(spec.uuid.begin(), spec.uuid.end(), spec.uuid.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!spec.uuid.empty() && !is_uuid(spec.uuid))
    findings.error(host.uuid, fmt::format("uuid: want 8-4-4-4-12 hexadecimal digits, not \"{}\"",
                                          printable(spec.uuid)));
  if (spec.macs.empty() && spec.uuid.empty() && spec.serial.empty())
    findings.error(host.place, fmt::format("host {} has no macs, uuid or serial", spec.name),
                   "nothing to know the machine by");
  const FleetEntry* entry = fleet.entry(spec.entry);
  if (!spec.entry.empty() && entry == nullptr) {
    const auto names = fleet.entry_names();
    findings.error(host.entry, fmt::format("entry {} does not exist", printable(spec.entry)),
                   or_list(did_you_mean(spec.entry, names), names, "entries"));
  }
  if (!host.install) return;
  if (spec.entry.empty())
    findings.error(host.install_place, "install: there is no entry to install", "add an entry");
  else if (entry != nullptr && entry->kind_known && !installs(entry->entry.kind))
    findings.error(host.install_place,
                   fmt::format("install: entry {} installs nothing", spec.entry));
}

}  // namespace

void check_fleet(FleetDirectory& fleet, const KnownContent& known, Findings& findings) {
  check_entries(fleet, known, findings);
  check_menu(fleet, findings);
  check_menu_links(fleet, findings);
  check_hosts(fleet, findings);
  check_variables(fleet, known, findings);
  check_templates(fleet, findings);
  check_unused(fleet, findings);
  lint_kickstarts(fleet, known.images, findings);
}

void check_hosts(FleetDirectory& fleet, Findings& findings) {
  Unique macs("mac", findings), uuids("uuid", findings), serials("serial", findings);
  for (FleetSite& site : fleet.sites) {
    for (FleetHost& host : site.hosts) {
      const std::string id = site.name + "/" + host.host.name;
      for (std::size_t i = 0; i < host.host.macs.size(); ++i) {
        std::string& mac = host.host.macs[i];
        const auto normal = normalise_mac(mac);
        if (!normal) {
          findings.error(host.macs[i], fmt::format("\"{}\" is not a mac", printable(mac)),
                         "want six pairs of hexadecimal digits, like 52:54:00:12:34:56");
          continue;
        }
        mac = *normal;
        macs.add(mac, host.macs[i], id);
      }
      check_host(fleet, host, findings);
      if (!host.host.uuid.empty()) uuids.add(host.host.uuid, host.uuid, id);
      if (!host.host.serial.empty()) serials.add(host.host.serial, host.serial, id);
    }
  }
}

void check_unused(const FleetDirectory& fleet, Findings& findings) {
  std::set<std::string> used;
  for (const FleetEntry& entry : fleet.entries) used.insert(entry.entry.kickstart);
  for (const auto& [name, text] : fleet.kickstarts)
    if (!used.contains(name)) findings.warning({text.file, 0}, "no entry uses this kickstart");
}

}  // namespace farboot
