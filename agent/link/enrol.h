// farboot-agent enroll TOKEN: from a token to an identity. The key is made here and never leaves.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "agent/link/identity.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

struct EnrolSettings {
  std::filesystem::path state_dir;
  std::string version;
  Seconds timeout{20};   ///< of each of the two dials
  int attempts_max = 5;  ///< where the controller cannot be reached; a second apart, then two, …
};

/// Dials the token's address, takes from the presented chain the certificate whose SHA-256 the
/// token names as the CA, and only with that as root sends the token. Stores the identity; one that
/// is there already is replaced.
///
/// The Pi's clock may say 1970: our certificates are valid from then on, and the token's expiry is
/// judged by the controller. A clock that is ahead of a certificate's end (90 days for agents, 3
/// years for the controller) does make TLS fail, and the text says so.
///
/// Blocks. Errors: invalid (no token), denied (the CA is not the token's; or what the controller
/// says: unknown, used, expired), unavailable, timeout.
Result<AgentIdentity> enrol(std::string_view token, const EnrolSettings& settings);

}  // namespace farboot
