// What entries need beside what a release itself can tell: files that are there, images of the
// right sort. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/content/release.h"

namespace farboot {

/// `loaders`: paths of the imported boot loaders. Errors: invalid, with the entry's name.
Result<void> check_entry_needs(const Release& release, const Manifest& assets,
                               const std::vector<std::string>& loaders);

}  // namespace farboot
