#include "controller/fleet/release_notes.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/ranges.h>

#include "common/content/whole_iso.h"
#include "common/template/template.h"
#include "common/wire/boot_loaders.h"

namespace farboot {
namespace {

constexpr std::size_t kNamedMax = 10;

std::string named(const std::vector<std::string>& all) {
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kNamedMax); ++i)
    out += (i == 0 ? "" : ", ") + all[i];
  if (all.size() > kNamedMax) out += fmt::format(" and {} more", all.size() - kNamedMax);
  return out;
}

bool able(const AgentReport& report, std::string_view ability) {
  return std::find(report.abilities.begin(), report.abilities.end(), ability) !=
         report.abilities.end();
}

/// An entry may only borrow files of an image, and say what is booted by itself.
bool boots_its_own(const Release& release, const Image& image) {
  return std::any_of(release.entries.begin(), release.entries.end(), [&](const BootEntry& entry) {
    return entry.boot.empty() && release.image(entry.image) == &image;
  });
}

/// With the snippets, which may stand in them.
std::vector<std::string> menus_with_links(const Release& release) {
  std::vector<std::string> found;
  if (release.menu.template_name.empty()) return found;
  const auto look = [&](const std::map<std::string, std::string>& texts, std::string_view kind) {
    for (const auto& [name, text] : texts) {
      const auto tags = template_tags(text);
      if (tags && std::any_of(tags->begin(), tags->end(), [](const TemplateTag& tag) {
            return tag.name == "menu.url" || tag.name == "entry.url";
          }))
        found.push_back(fmt::format("{} {}", kind, name));
    }
  };
  look(release.menus, "menu");
  look(release.snippets, "snippet");
  return found;
}

bool names_family(const Variables& variables) {
  const auto loader = variables.find("loader");
  return loader != variables.end() && dhcp::names_loader_family(loader->second);
}

/// Who of the site is to get a loader by such a word.
std::vector<std::string> loader_families(const Variables& fleet, const Site& site) {
  std::vector<std::string> found;
  if (names_family(site.variables)) found.emplace_back("of the site");
  // The fleet's counts where the site says nothing.
  if (!site.variables.contains("loader") && names_family(fleet)) found.emplace_back("of the fleet");
  for (const HostSpec& host : site.hosts)
    if (names_family(host.variables)) found.push_back("of host " + host.name);
  return found;
}

class OlderAgents {
 public:
  OlderAgents(const Release& release, const std::vector<Site>& sites)
      : release_(release), menus_(menus_with_links(release)) {
    for (const BootEntry& entry : release.entries)
      if (!entry.boot.empty() || !entry.files.empty()) entries_.push_back(entry.name);
    for (const Site& site : sites) sites_.emplace(site.name, &site);
  }

  /// What this one does not do of it, as words; empty: nothing.
  std::vector<std::string> overlooked(const AgentReport& agent) const {
    std::vector<std::string> what;
    if (!entries_.empty() && !able(agent, kAbilityBootFiles))
      what.push_back(fmt::format("boot and files of entries ({})", named(entries_)));
    if (!menus_.empty() && !able(agent, kAbilityMenuLinks))
      what.push_back(
          fmt::format("{{{{menu.url}}}} and {{{{entry.url}}}} ({}; machines get the usual menu)",
                      named(menus_)));
    const auto site = sites_.find(agent.site);
    if (site == sites_.end() || able(agent, kAbilityLoaderFamilies)) return what;
    if (const auto whose = loader_families(release_.variables, *site->second); !whose.empty())
      what.push_back(fmt::format("the words shim, grub and ipxe in loader ({})", named(whose)));
    return what;
  }

 private:
  const Release& release_;
  std::vector<std::string> entries_, menus_;
  std::map<std::string_view, const Site*> sites_;
};

}  // namespace

std::vector<std::string> release_notes(const Release& release, const std::vector<Site>& sites,
                                       const std::vector<AgentStatus>& agents) {
  std::vector<std::string> notes;
  for (const Image& image : release.images)
    if (lacks_its_iso(image.facts) && boots_its_own(release, image))
      notes.push_back(fmt::format(
          "image {}@{} was imported by a version that did not keep the ISO its installer starts "
          "from, which will not start; import the ISO again with another --tag and name that one",
          image.name, image.tag));
  const OlderAgents older(release, sites);
  std::size_t told = 0;
  for (const AgentStatus& agent : agents) {
    if (agent.report.version.empty()) continue;
    const auto what = older.overlooked(agent.report);
    if (what.empty()) continue;
    if (++told > kNamedMax) continue;
    notes.push_back(fmt::format("site {}: agent {} of version {} overlooks {}; upgrade it first",
                                agent.report.site, agent.report.agent, agent.report.version,
                                fmt::join(what, ", ")));
  }
  if (told > kNamedMax)
    notes.push_back(
        fmt::format("{} more agents are too old for something of this fleet; "
                    "`farboot agent list` shows their versions",
                    told - kNamedMax));
  return notes;
}

}  // namespace farboot
