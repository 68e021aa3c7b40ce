#include "common/content/whole_iso.h"

namespace farboot {

bool boots_from_its_iso(const ImageFacts& facts) {
  return facts.family == "ubuntu" && facts.kernel.starts_with("casper/");
}

bool lacks_its_iso(const ImageFacts& facts) {
  return boots_from_its_iso(facts) && !facts.stage2.ends_with(".iso");
}

}  // namespace farboot
