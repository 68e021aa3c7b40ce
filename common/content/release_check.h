// Whether a release holds together: names that are unique, references that resolve. Private to
// common/content.
#pragma once

#include "common/content/json_fields.h"
#include "common/content/release.h"

namespace farboot {

void check_references(const Release& release, json::Fault& fault);

}  // namespace farboot
