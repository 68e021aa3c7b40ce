// The key that signs releases, and the folder a new operator starts from.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/content/signature.h"
#include "controller/pki/authority.h"

namespace farboot {

/// Reads the PEM file (0600), or makes key and file. Errors: invalid, denied, unavailable.
Result<SigningKey> open_release_key(const std::string& file);

/// Writes ca.pem, cert.pem, key.pem (0600) and context.json for an admin, unless the folder has
/// them already. `address`: host:port as operators dial it.
Result<void> make_operator_folder(const std::string& folder, Authority& authority,
                                  const std::string& address);

}  // namespace farboot
