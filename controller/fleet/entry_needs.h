// What entries need beside what a release itself can tell: files that are there, images of the
// right sort. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/content/release.h"

namespace farboot {

/// Images (`name@tag`) whose files the entry takes by name, in whatever case they are spelt.
std::vector<std::string> images_looked_into(const Release& release);

/// `loaders`: paths of the imported boot loaders. `trees`: of images_looked_into(); nothing is said
/// of files in others. Errors: invalid, with the entry's name.
Result<void> check_entry_needs(const Release& release, const Manifest& assets,
                               const std::vector<std::string>& loaders,
                               const std::map<std::string, Manifest>& trees);

}  // namespace farboot
