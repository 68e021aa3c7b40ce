// The folder a new operator starts from: what `farboot --context` wants.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "controller/pki/operator_book.h"

namespace farboot {

/// Writes ca.pem, cert.pem, key.pem (0600) and context.json for an admin, whose certificate the
/// book has then. Where they are already, only the address is brought up to date, and the
/// certificate taken into the book if it is older than that. `address`: host:port as operators dial
/// it. Errors: unavailable, and what the files say.
Result<void> make_operator_folder(const std::filesystem::path& folder, OperatorBook& operators,
                                  const std::string& address);

}  // namespace farboot
