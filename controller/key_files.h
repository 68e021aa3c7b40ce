// The key that signs releases.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/content/signature.h"

namespace farboot {

/// Reads the PEM file (0600), or makes key and file. Errors: invalid, denied, unavailable.
Result<SigningKey> open_release_key(const std::string& file);

}  // namespace farboot
