// What is kept of a site that was removed: the installs ordered there, and which of them are used
// up. A machine that comes back would otherwise never be armed again, or be installed anew by
// surprise. `removed-site/<name>`.
#pragma once

#include <string_view>

#include "common/store/state_store.h"
#include "controller/fleet/site.h"

namespace farboot {

/// A site with nothing but its name and those orders; none if it never was.
Result<Site> removed_site(const StateStore& state, std::string_view name);
void remember_removed(Transaction& transaction, const Site& site);

}  // namespace farboot
