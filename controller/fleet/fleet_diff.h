// What is new, changed or gone, by name. Everything a fleet says is first written down as items of
// text; then one comparison does for all of them. Pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/content/manifest.h"
#include "common/content/release.h"
#include "controller/fleet/site.h"

namespace farboot {

struct Change {
  enum class Kind {
    added,
    changed,
    removed
  };
  Kind kind = Kind::added;
  std::string what;  ///< `entry`, `kickstart`, `site`, …
  std::string name;  ///< empty where there is only one
  std::string diff;  ///< as text_diff()
  bool operator==(const Change&) const = default;
};

/// (what, name) → text.
using Items = std::map<std::pair<std::string, std::string>, std::string>;

/// `assets`: those the release names, or nullptr for none.
Items release_items(const Release& release, const Manifest* assets);
Items site_items(const std::vector<Site>& sites);

/// In the order of the items.
std::vector<Change> compare(const Items& before, const Items& after);

}  // namespace farboot
