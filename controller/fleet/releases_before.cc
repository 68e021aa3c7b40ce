#include "controller/fleet/releases_before.h"

#include <algorithm>

namespace farboot {
namespace {

std::string before_key(std::string_view site) { return fmt::format("desired-before/{}", site); }

void add(std::vector<Digest>& releases, const Digest& release) {
  const bool known = std::find(releases.begin(), releases.end(), release) != releases.end();
  if (!known && releases.size() < kReleasesBeforeMax) releases.push_back(release);
}

}  // namespace

Result<std::vector<Digest>> releases_before(const StateStore& state, std::string_view site) {
  auto entry = state.get(before_key(site));
  if (!entry) return entry.error();
  std::vector<Digest> releases;
  if (!*entry) return releases;
  for (std::string_view rest = (*entry)->value; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (const auto release = Digest::from_hex(line)) add(releases, *release);
  }
  return releases;
}

Result<void> remember_releases(const StateStore& state, Transaction& transaction,
                               const DesiredState& before) {
  if (!before.serve && !before.stage) return {};
  auto known = releases_before(state, before.site);
  if (!known) return known.error();
  std::vector<Digest> releases;
  for (const auto& release : {before.serve, before.stage})
    if (release) add(releases, *release);
  for (const Digest& release : *known) add(releases, release);
  std::string lines;
  for (const Digest& release : releases) lines += release.hex() + '\n';
  transaction.put(before_key(before.site), std::move(lines));
  return {};
}

}  // namespace farboot
