#include "controller/cli/fleet_check.h"

#include <algorithm>
#include <map>
#include <set>

namespace farboot {
namespace {

template <class Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> out;
  for (const auto& [key, value] : map) out.push_back(key);
  return out;
}

std::vector<std::string> entry_names(const FleetDirectory& fleet) {
  std::vector<std::string> out;
  out.reserve(fleet.entries.size());
  for (const FleetEntry& entry : fleet.entries) out.push_back(entry.entry.name);
  return out;
}

std::string or_list(std::string hint, const std::vector<std::string>& names,
                    std::string_view what) {
  if (!hint.empty()) return hint;
  if (names.empty()) return fmt::format("there are no {} yet", what);
  std::string out = fmt::format("{}: ", what);
  constexpr std::size_t kNamedMax = 8;
  for (std::size_t i = 0; i < names.size() && i < kNamedMax; ++i)
    out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamedMax ? out + ", …" : out;
}

/// Finds the image an entry names, fills in its tag, or says what is wrong.
void check_image(FleetEntry& entry, const std::vector<KnownImage>& images, Findings& findings) {
  std::vector<std::string> all, tags;
  for (const KnownImage& image : images) {
    const std::string id = image.name + "@" + image.tag;
    all.push_back(id);
    if (id == entry.entry.image) return;
    if (image.name == entry.entry.image) tags.push_back(id);
  }
  if (tags.size() == 1) {
    entry.entry.image = tags.front();
    return;
  }
  if (tags.size() > 1) {
    findings.error(entry.image, fmt::format("image {} has several tags", entry.entry.image),
                   or_list({}, tags, "say which"));
    return;
  }
  std::vector<std::string> names = all;
  for (const KnownImage& image : images) names.push_back(image.name);
  findings.error(entry.image, fmt::format("image {} is not imported", printable(entry.entry.image)),
                 all.empty() ? "there are no images yet; `farboot image import`"
                             : or_list(did_you_mean(entry.entry.image, names), all, "images"));
}

bool needs_image(EntryKind kind) { return installs(kind) || kind == EntryKind::tool; }

void check_key(const FleetEntry& entry, std::map<std::string, Place>& keys_seen,
               Findings& findings) {
  if (entry.entry.key.empty()) return;
  const unsigned char c = static_cast<unsigned char>(entry.entry.key[0]);
  if (entry.entry.key.size() != 1 || c <= ' ' || c > '~') {
    findings.error(entry.key, fmt::format("key: want one visible character, not \"{}\"",
                                          printable(entry.entry.key)));
    return;
  }
  const auto [first, fresh] = keys_seen.emplace(entry.entry.key, entry.key);
  if (!fresh)
    findings.error(entry.key, fmt::format("key {} is used by another entry already ({})",
                                          entry.entry.key, to_string(first->second)));
}

bool is_gap(std::string_view item) { return item == "-" || item.starts_with("- "); }

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
    const auto names = entry_names(fleet);
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

/// What unknown machines do when nobody presses a key.
void check_timer(const FleetDirectory& fleet, Findings& findings) {
  const FleetMenu& menu = fleet.menu;
  const bool generated = menu.menu.template_name.empty();
  if (menu.menu.timeout.count() == 0) return;
  if (!menu.menu.default_entry.empty()) {
    const FleetEntry& standard = *fleet.entry(menu.menu.default_entry);
    if (standard.kind_known && installs(standard.entry.kind))
      findings.warning(menu.default_entry,
                       fmt::format("menu: every unknown machine installs {} after {} s",
                                   menu.menu.default_entry, menu.menu.timeout.count()),
                       "is that meant? `default: local` is the careful choice");
    return;
  }
  for (const std::string& item : menu.menu.entries) {
    if (is_gap(item)) continue;
    const FleetEntry* first = fleet.entry(item);
    if (generated && first != nullptr && first->kind_known && installs(first->entry.kind))
      findings.warning(menu.timeout,
                       fmt::format("menu: no default is named, and {} installs: after {} s unknown "
                                   "machines boot their disk",
                                   item, menu.menu.timeout.count()),
                       "name the entry that the timer is to take: `default: local`");
    return;
  }
}

}  // namespace

void check_fleet(FleetDirectory& fleet, const std::optional<std::vector<KnownImage>>& images,
                 Findings& findings) {
  check_entries(fleet, images, findings);
  check_menu(fleet, findings);
  check_hosts(fleet, findings);
  check_templates(fleet, findings);
  check_unused(fleet, findings);
  lint_kickstarts(fleet, images, findings);
}

void check_entries(FleetDirectory& fleet, const std::optional<std::vector<KnownImage>>& images,
                   Findings& findings) {
  std::map<std::string, Place> keys_seen;
  for (FleetEntry& entry : fleet.entries) {
    check_key(entry, keys_seen, findings);
    const BootEntry& spec = entry.entry;
    if (!spec.kickstart.empty() && !fleet.kickstarts.contains(spec.kickstart)) {
      const auto names = keys(fleet.kickstarts);
      findings.error(entry.kickstart,
                     fmt::format("kickstart {} does not exist: there is no kickstarts/{}.ks",
                                 printable(spec.kickstart), printable(spec.kickstart)),
                     or_list(did_you_mean(spec.kickstart, names), names, "kickstarts"));
    }
    if (entry.kind_known && !needs_image(spec.kind)) {
      if (!spec.image.empty())
        findings.error(entry.image, "image: a shell or the local disk has none");
      if (!spec.kickstart.empty())
        findings.error(entry.kickstart, "kickstart: a shell or the local disk has none");
      continue;
    }
    if (spec.image.empty()) {
      if (entry.kind_known)
        findings.error(entry.place, fmt::format("entry {} has no image", spec.name),
                       "name an image, or say kind: shell or kind: local");
    } else if (images) {
      check_image(entry, *images, findings);
    }
  }
}

void check_menu(const FleetDirectory& fleet, Findings& findings) {
  const FleetMenu& menu = fleet.menu;
  const auto names = entry_names(fleet);
  std::set<std::string> shown;
  for (std::size_t i = 0; i < menu.menu.entries.size(); ++i) {
    const std::string& item = menu.menu.entries[i];
    if (is_gap(item)) continue;
    if (fleet.entry(item) == nullptr)
      findings.error(menu.entries[i], fmt::format("menu: entry {} does not exist", printable(item)),
                     or_list(did_you_mean(item, names), names, "entries"));
    else if (!shown.insert(item).second)
      findings.error(menu.entries[i], fmt::format("menu: entry {} stands here twice", item));
  }
  const std::string& standard = menu.menu.default_entry;
  if (!standard.empty() && fleet.entry(standard) == nullptr)
    findings.error(menu.default_entry,
                   fmt::format("menu: default {} does not exist", printable(standard)),
                   or_list(did_you_mean(standard, names), names, "entries"));
  else if (!standard.empty() && !shown.contains(standard))
    findings.error(menu.default_entry, fmt::format("menu: default {} is not in the menu", standard),
                   "add it to entries");
  else
    check_timer(fleet, findings);
  if (!menu.menu.picture.empty() && !fleet.assets.contains(menu.menu.picture)) {
    const auto assets = keys(fleet.assets);
    findings.error(menu.picture,
                   fmt::format("menu: there is no assets/{}", printable(menu.menu.picture)),
                   or_list(did_you_mean(menu.menu.picture, assets), assets, "assets"));
  }
  if (!menu.menu.template_name.empty() && !fleet.menus.contains(menu.menu.template_name)) {
    const auto menus = keys(fleet.menus);
    findings.error(
        menu.template_name,
        fmt::format("menu: there is no menus/{}.ipxe", printable(menu.menu.template_name)),
        or_list(did_you_mean(menu.menu.template_name, menus), menus, "templates"));
  }
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
  for (const auto& [name, text] : fleet.menus)
    if (name != fleet.menu.menu.template_name)
      findings.warning({text.file, 0}, "the menu does not use this template",
                       fmt::format("menu: {{template: {}}} in fleet.yaml", name));
}

}  // namespace farboot
