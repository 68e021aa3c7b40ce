// From what a fleet directory says to a release and sites. diff() and apply() go the same way; only
// the last step differs.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/content/release.h"
#include "common/store/content_store.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/fleet_diff.h"
#include "controller/fleet/site.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"

namespace farboot {

/// A fleet directory, parsed. Nothing of it is trusted.
struct FleetWish {
  std::string comment;
  Variables variables;
  Menu menu;
  std::vector<BootEntry> entries;  ///< `image` may lack the tag if the name has one
  std::map<std::string, std::string> kickstarts, menus, snippets;
  Manifest assets;
  std::vector<SiteWish> sites;
};

struct FleetDiff {
  std::vector<Change> release;
  std::vector<Change> sites;
  std::uint64_t newest_release = 0;  ///< the one compared with
  std::vector<std::string> notes;
};

struct Applied {
  FleetDiff diff;
  StoredRelease release;  ///< the newest now
  bool new_release = false;
};

/// Thread-safe: it holds nothing of its own.
class Applier {
 public:
  struct Parts {
    StateStore& state;
    ContentStore& content;
    const ImageBook& images;
    const ReleaseBook& releases;
    Fleet& fleet;
    const Clock& clock;
  };
  explicit Applier(Parts parts) : parts_(parts) {}

  /// What apply() would do. `occupied`: sites with enrolled agents; they cannot be removed. Errors:
  /// invalid, not_found (image), conflict (an occupied site would go; a release that a site serves
  /// or stages needs a variable that would go).
  Result<FleetDiff> diff(const FleetWish& wish, const std::set<std::string>& occupied) const;

  /// One transaction. The chunks of the assets must be held already. Errors: as diff(); not_found
  /// (an asset's chunk), exhausted.
  Result<Applied> apply(const FleetWish& wish, const std::set<std::string>& occupied);

 private:
  struct Candidate;
  Result<Candidate> candidate(const FleetWish& wish, const std::set<std::string>& occupied) const;
  Result<void> check_served(const std::vector<Site>& before, Candidate& made) const;
  Result<std::optional<Applied>> commit(const FleetWish& wish, Candidate candidate);

  Parts parts_;
};

}  // namespace farboot
