// Who this agent is: what enrolment wrote into <state_dir>/identity/, and reading it back.
//
//   key.pem  cert.pem  ca.pem  verify.key (64 hex digits)  identity.json      all 0600
#pragma once

#include <filesystem>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/identity_key.h"
#include "common/content/signature.h"
#include "common/rpc/credentials.h"

namespace farboot {

struct AgentIdentity {
  std::string agent;  ///< `lyon/pi1`
  std::string site;
  std::string name;
  std::string address;  ///< host:port of the controller
  Credentials credentials;
  IdentityKey key;  ///< the one in `credentials`
  VerifyKey verify_key;
};

/// Errors: not_found (not enrolled: the text says what to do), invalid, denied.
Result<AgentIdentity> load_identity(const std::filesystem::path& state_dir);

/// Only the key that signs releases. Errors: as load_identity().
Result<VerifyKey> load_verify_key(const std::filesystem::path& state_dir);

/// Puts the whole identity in place at once: a reader finds the old one or the new one. Durable.
/// Errors: denied, exhausted, unavailable.
Result<void> store_identity(const std::filesystem::path& state_dir, const AgentIdentity& identity);

/// Replaces the certificate after a renewal. Durable. Errors: as store_identity().
Result<void> store_certificate(const std::filesystem::path& state_dir,
                               const std::string& certificate_pem);

/// End of validity of the first certificate in `pem`. Errors: invalid.
Result<WallTime> certificate_expires(std::string_view pem);

}  // namespace farboot
