#include "controller/fleet/release_notes.h"

#include <algorithm>

#include "common/content/whole_iso.h"

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

}  // namespace

std::vector<std::string> release_notes(const Release& release,
                                       const std::vector<AgentStatus>& agents) {
  std::vector<std::string> notes;
  for (const Image& image : release.images)
    if (lacks_its_iso(image.facts) && boots_its_own(release, image))
      notes.push_back(fmt::format(
          "image {}@{} was imported by a version that did not keep the ISO its installer starts "
          "from, which will not start; import the ISO again with another --tag and name that one",
          image.name, image.tag));
  std::vector<std::string> entries, older;
  for (const BootEntry& entry : release.entries)
    if (!entry.boot.empty() || !entry.files.empty()) entries.push_back(entry.name);
  for (const AgentStatus& agent : agents)
    if (!agent.report.version.empty() && !able(agent.report, kAbilityBootFiles))
      older.push_back(agent.report.agent);
  if (!entries.empty() && !older.empty())
    notes.push_back(
        fmt::format("agents of an older version overlook boot and files of entries ({}): {}; "
                    "upgrade them before the rollout",
                    named(entries), named(older)));
  return notes;
}

}  // namespace farboot
