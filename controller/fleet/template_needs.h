// Whether what a release installs with can be rendered for the hosts of a site. Variables of sites
// and hosts take effect at once, templates only with a rollout: a change of the first can break the
// second. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/content/release.h"
#include "controller/fleet/site.h"

namespace farboot {

/// One rendering that fails.
struct BrokenTemplate {
  std::string host;  ///< empty: whoever chooses the entry in the site's menu
  std::string entry;
  std::string what;    ///< `kickstart base: line 12: 'gateway' is not defined`
  bool fresh = false;  ///< of a host or an entry of it that was not there before
  bool operator==(const BrokenTemplate&) const = default;
};

/// What fails for `after` and did not for `before`, with the arguments and kickstarts of `release`:
/// for every host and the entry it is assigned, and for every entry of the menu. Rendered as the
/// agent does it, with what only the agent knows once filled in and once empty.
std::vector<BrokenTemplate> newly_broken(const Release& release, const Site& before,
                                         const Site& after);

/// One line for people.
std::string to_string(const BrokenTemplate& broken, const Release& release);

}  // namespace farboot
