// Images whose installer starts from the ISO they came on. Pure.
#pragma once

#include "common/content/release.h"

namespace farboot {

/// Ubuntu's casper: the ISO is a file of the tree, named by `stage2`.
bool boots_from_its_iso(const ImageFacts& facts);
/// It should be there and is not: imported before imports kept it. Such an image starts nothing.
bool lacks_its_iso(const ImageFacts& facts);

}  // namespace farboot
