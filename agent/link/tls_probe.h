// The certificates a TLS server presents, unverified: to be compared with a fingerprint.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

/// The certificate (PEM) in the chain presented at `address` whose DER has the SHA-256
/// `fingerprint`. Blocks up to `timeout` for each step. Errors: denied (none of them has it),
/// unavailable, timeout.
Result<std::string> presented_certificate(const std::string& address, const Digest& fingerprint,
                                          Seconds timeout);

}  // namespace farboot
