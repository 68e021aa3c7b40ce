// Which controller, and who we are: a folder with ca.pem, cert.pem, key.pem and context.json
// ({"address": "host:7443"}), as the controller writes it at its first start.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/rpc/credentials.h"

namespace farboot {

struct OperatorContext {
  std::filesystem::path folder;
  std::string address;  ///< host:port
  Credentials credentials;
};

/// `--context`, else $FARBOOT_CONTEXT, else ~/.config/farboot. Errors: not_found (no home).
Result<std::filesystem::path> context_folder(const std::string& option);

/// Errors: not_found, denied, invalid, naming the file and what to do.
Result<OperatorContext> load_context(const std::filesystem::path& folder);

}  // namespace farboot
