// The folder a new operator starts from: what `farboot --context` wants.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "controller/pki/authority.h"

namespace farboot {

/// Writes ca.pem, cert.pem, key.pem (0600) and context.json for an admin. Where they are already,
/// only the address is brought up to date. `address`: host:port as operators dial it. Errors:
/// unavailable, and what the files say.
Result<void> make_operator_folder(const std::filesystem::path& folder, Authority& authority,
                                  const std::string& address);

}  // namespace farboot
