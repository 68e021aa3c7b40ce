// The folder an operator works from, as `farboot --context` wants it: key.pem, cert.pem, ca.pem
// (all 0600) and context.json ({"address": "host:7443"}). Its key is made where it stays.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "common/content/identity_key.h"

namespace farboot {

/// True once the folder is whole: the context is written last.
bool has_operator_context(const std::filesystem::path& folder);

/// The key in the folder; makes both where there is none, so that what was broken off can be
/// repeated with the same key. Errors: invalid, denied, unavailable, exhausted.
Result<IdentityKey> open_operator_key(const std::filesystem::path& folder);

struct OperatorFiles {
  std::string ca_pem;
  std::string certificate_pem;
  std::string address;  ///< host:port as operators dial the controller
};
/// All but the key. Errors: denied, exhausted, unavailable.
Result<void> write_operator_files(const std::filesystem::path& folder, const OperatorFiles& files);

/// Writes context.json alone: the address moved. What else is in it stays. True if it was another.
Result<bool> follow_operator_address(const std::filesystem::path& folder,
                                     const std::string& address);

}  // namespace farboot
