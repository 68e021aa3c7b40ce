// The menu: that what it names exists, and what its timer would do.
#include <algorithm>
#include <map>
#include <set>

#include "controller/cli/fleet_check.h"

namespace farboot {
namespace {

/// The lines of the menu and of those in it.
class MenuLines {
 public:
  MenuLines(const FleetDirectory& fleet, Findings& findings)
      : fleet_(fleet), findings_(findings), names_(fleet.entry_names()) {
    for (const FleetEntry& entry : fleet.entries) keys_.emplace(entry.entry.key, entry.key);
  }

  void check(const std::vector<MenuItem>& items, const std::vector<MenuPlaces>& places) {
    std::set<std::string> here;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const MenuItem& item = items[i];
      if (item.kind == MenuItem::Kind::gap) continue;
      if (item.kind == MenuItem::Kind::menu)
        check_sub_menu(item, places[i]);
      else
        check_line(item.name, places[i].place, here);
    }
  }

 private:
  void check_line(const std::string& name, const Place& place, std::set<std::string>& here) {
    if (fleet_.entry(name) == nullptr)
      findings_.error(place, fmt::format("menu: entry {} does not exist", printable(name)),
                      or_list(did_you_mean(name, names_), names_, "entries"));
    else if (!here.insert(name).second)
      findings_.error(place, fmt::format("menu: entry {} stands here twice", name));
  }

  void check_sub_menu(const MenuItem& item, const MenuPlaces& places) {
    if (fleet_.entry(item.name) != nullptr)
      findings_.error(places.place, fmt::format("menu {}: an entry has this name", item.name),
                      "a menu is told from an entry by its name: choose another");
    const auto [first, fresh] = menus_.emplace(item.name, places.place);
    if (!fresh)
      findings_.error(places.place, fmt::format("menu {} stands in the menu already ({})",
                                                printable(item.name), to_string(first->second)));
    if (item.items.empty())
      findings_.warning(places.place, fmt::format("menu {} has no entries", printable(item.name)));
    if (!item.key.empty()) check_menu_key(item.key, places.key, keys_, findings_);
    check(item.items, places.items);
  }

  const FleetDirectory& fleet_;
  Findings& findings_;
  std::vector<std::string> names_;
  std::map<std::string, Place> keys_, menus_;
};

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
  for (const MenuItem& item : menu.menu.entries) {
    if (item.kind != MenuItem::Kind::entry) continue;
    const FleetEntry* first = fleet.entry(item.name);
    if (generated && first != nullptr && first->kind_known && installs(first->entry.kind))
      findings.warning(menu.timeout,
                       fmt::format("menu: no default is named, and {} installs: after {} s unknown "
                                   "machines boot their disk",
                                   item.name, menu.menu.timeout.count()),
                       "name the entry that the timer is to take: `default: local`");
    return;
  }
}

void check_default(const FleetDirectory& fleet, Findings& findings) {
  const FleetMenu& menu = fleet.menu;
  const std::string& standard = menu.menu.default_entry;
  if (standard.empty()) return check_timer(fleet, findings);
  const auto is_it = [&](const MenuItem& item) {
    return item.kind == MenuItem::Kind::entry && item.name == standard;
  };
  const auto names = fleet.entry_names();
  const auto& lines = menu.menu.entries;
  if (fleet.entry(standard) == nullptr)
    findings.error(menu.default_entry,
                   fmt::format("menu: default {} does not exist", printable(standard)),
                   or_list(did_you_mean(standard, names), names, "entries"));
  else if (!menu.menu.shows(standard))
    findings.error(menu.default_entry, fmt::format("menu: default {} is not in the menu", standard),
                   "add it to entries");
  else if (std::none_of(lines.begin(), lines.end(), is_it))
    findings.error(menu.default_entry,
                   fmt::format("menu: default {} is in a menu of the menu", standard),
                   "the timer runs in the first menu: add it to that one's entries too");
  else
    check_timer(fleet, findings);
}

}  // namespace

void check_menu_key(const std::string& key, const Place& place, std::map<std::string, Place>& seen,
                    Findings& findings) {
  const unsigned char c = static_cast<unsigned char>(key[0]);
  if (key.size() != 1 || c <= ' ' || c > '~') {
    findings.error(place,
                   fmt::format("key: want one visible character, not \"{}\"", printable(key)));
    return;
  }
  const auto [first, fresh] = seen.emplace(key, place);
  if (!fresh)
    findings.error(place, fmt::format("key {} is used by another entry already ({})", key,
                                      to_string(first->second)));
}

void check_menu(const FleetDirectory& fleet, Findings& findings) {
  const FleetMenu& menu = fleet.menu;
  MenuLines(fleet, findings).check(menu.menu.entries, menu.entries);
  if (const std::size_t lines = flat_lines(menu.menu.entries).size(); lines > kMenuLinesMax)
    findings.error(menu.place, fmt::format("menu: {} lines, at most {}", lines, kMenuLinesMax));
  check_default(fleet, findings);
  if (!menu.menu.picture.empty() && !fleet.assets.contains(menu.menu.picture)) {
    const auto assets = keys_of(fleet.assets);
    findings.error(menu.picture,
                   fmt::format("menu: there is no assets/{}", printable(menu.menu.picture)),
                   or_list(did_you_mean(menu.menu.picture, assets), assets, "assets"));
  }
  if (!menu.menu.template_name.empty() && !fleet.menus.contains(menu.menu.template_name)) {
    const auto menus = keys_of(fleet.menus);
    findings.error(
        menu.template_name,
        fmt::format("menu: there is no menus/{}.ipxe", printable(menu.menu.template_name)),
        or_list(did_you_mean(menu.menu.template_name, menus), menus, "templates"));
  }
}

}  // namespace farboot
