// Menus of the operator's own that lead to each other by `{{menu.url}}NAME`, and to entries by
// `{{entry.url}}NAME`.
#include <algorithm>

#include "common/template/scan.h"
#include "controller/cli/fleet_check.h"

namespace farboot {
namespace {

constexpr std::string_view kMenuUrl = "menu.url", kEntryUrl = "entry.url";
constexpr std::string_view kByHand = "menu=";  ///< in an address that the operator wrote

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// Empty: there is none, or it goes on in what is only known later (`centos-${buildarch}`). `last`:
/// the text ends where a value of the template follows.
std::string name_at(std::string_view text, bool last) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), is_name_char);
  std::string_view name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  const std::string_view behind = text.substr(name.size());
  if (behind.starts_with("${") || (behind.empty() && !last)) return {};
  while (name.ends_with('.')) name.remove_suffix(1);  // of a sentence
  return std::string(name);
}

/// What stands behind the address of menus or entries; empty: iPXE finds it out (`${target}`).
struct Link {
  bool to_menu = false;
  std::string name;
  Place place;
};

/// Follows menus, and the snippets in them, from the one that every machine gets.
class Reach {
 public:
  explicit Reach(const FleetDirectory& fleet) : fleet_(fleet) {
    const auto first = fleet.menus.find(fleet.menu.menu.template_name);
    if (first != fleet.menus.end()) visit(first->first);
  }

  MenuReach take() { return std::move(reach_); }

 private:
  void visit(const std::string& menu) {
    if (reach_.menus.insert(menu).second) read(fleet_.menus.at(menu));
  }

  void read(const FleetText& text) {
    const auto parts = scan_template(text.text);
    if (!parts) return;  // said by check_templates()
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const TemplatePart& part = (*parts)[i];
      if (part.kind == TemplatePart::Kind::partial) read_snippet(std::string(part.text));
      if (part.kind == TemplatePart::Kind::text) by_hand(part.text, i + 1 == parts->size());
      const bool to_menu = part.text == kMenuUrl;
      if (part.kind != TemplatePart::Kind::value || !(to_menu || part.text == kEntryUrl)) continue;
      Link link{to_menu, {}, {text.file, part.line}};
      if (i + 1 < parts->size() && (*parts)[i + 1].kind == TemplatePart::Kind::text) {
        link.name = name_at((*parts)[i + 1].text, i + 2 == parts->size());
      }
      follow(link);
    }
  }

  /// Such an address may be of anything: one that leads nowhere is no error.
  void by_hand(std::string_view text, bool last) {
    for (auto at = text.find(kByHand); at != std::string_view::npos; at = text.find(kByHand)) {
      const bool in_address = at > 0 && (text[at - 1] == '?' || text[at - 1] == '&');
      text.remove_prefix(at + kByHand.size());
      if (!in_address) continue;
      const std::string name = name_at(text, last);
      if (fleet_.menus.contains(name)) visit(name);
    }
  }

  void read_snippet(const std::string& name) {
    const auto snippet = fleet_.snippets.find(name);
    if (snippet != fleet_.snippets.end() && snippets_.insert(name).second) read(snippet->second);
  }

  void follow(const Link& link) {
    if (!link.to_menu) {
      if (!link.name.empty() && fleet_.entry(link.name) == nullptr)
        reach_.no_entries.emplace(link.place, link.name);
    } else if (link.name.empty()) {
      for (const auto& [name, text] : fleet_.menus) visit(name);
    } else if (fleet_.menus.contains(link.name)) {
      visit(link.name);
    } else {
      reach_.no_menus.emplace(link.place, link.name);
    }
  }

  const FleetDirectory& fleet_;
  MenuReach reach_;
  std::set<std::string> snippets_;
};

}  // namespace

MenuReach reach_menus(const FleetDirectory& fleet) { return Reach(fleet).take(); }

void check_menu_links(const FleetDirectory& fleet, Findings& findings) {
  const MenuReach reach = reach_menus(fleet);
  const auto menus = keys_of(fleet.menus), entries = fleet.entry_names();
  for (const auto& [place, name] : reach.no_menus)
    findings.error(place, fmt::format("{{{{menu.url}}}}{}: there is no menus/{}.ipxe", name, name),
                   or_list(did_you_mean(name, menus), menus, "templates"));
  for (const auto& [place, name] : reach.no_entries)
    findings.error(place, fmt::format("{{{{entry.url}}}}{}: entry {} does not exist", name, name),
                   or_list(did_you_mean(name, entries), entries, "entries"));
  for (const auto& [name, text] : fleet.menus)
    if (!reach.menus.contains(name))
      findings.warning({text.file, 0}, "no menu leads to this one",
                       fmt::format("{{{{menu.url}}}}{} in a menu that machines get, or menu: "
                                   "{{template: {}}} in fleet.yaml",
                                   name, name));
}

}  // namespace farboot
