#include "controller/link/site_targets.h"

#include <algorithm>

#include "common/content/desired_state.h"
#include "controller/fleet/releases_before.h"

namespace farboot {

bool SiteTarget::names(const Digest& release) const {
  return std::find(releases.begin(), releases.end(), release) != releases.end();
}

bool SiteTarget::named(const Digest& release) const {
  return names(release) || std::find(before.begin(), before.end(), release) != before.end();
}

Result<std::shared_ptr<const SiteTarget>> SiteTargets::get(const std::string& site) {
  auto entry = state_.get("desired/" + site);
  if (!entry) return entry.error();
  if (!*entry) return std::shared_ptr<const SiteTarget>();
  const std::uint64_t revision = (*entry)->revision;
  auto known = known_.with([&](auto& map) {
    const auto found = map.find(site);
    return found == map.end() ? nullptr : found->second;
  });
  if (known && known->revision == revision) return known;
  const std::string subject = "desired state of " + site;
  auto document = decode_signed(as_bytes((*entry)->value));
  if (!document) return prefix(subject, document.error());
  auto state = decode_desired_state(document->document);
  if (!state) return prefix(subject, state.error());
  auto target = std::make_shared<SiteTarget>();
  target->revision = revision;
  target->document = std::move(*document);
  for (const auto& release : {state->serve, state->stage})
    if (release && !target->names(*release)) target->releases.push_back(*release);
  // Changes only with the state itself.
  auto before = releases_before(state_, site);
  if (!before) return prefix(subject, before.error());
  target->before = std::move(*before);
  std::shared_ptr<const SiteTarget> made = std::move(target);
  known_.with([&](auto& map) { map[site] = made; });
  return made;
}

}  // namespace farboot
