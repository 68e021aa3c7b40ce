// One-time tokens and the agents they made. Thread-safe; state in the StateStore (`token/…`,
// `agent/…`).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/store/state_store.h"
#include "controller/pki/authority.h"

namespace farboot {

struct AgentRecord {
  std::string id;  ///< `lyon/pi1`: site, slash, name; unique
  std::string site;
  std::string name;
  WallTime enrolled{};
  std::string certificate_serial;  ///< hex
  WallTime certificate_expires{};
  bool revoked = false;
};

struct TokenRequest {
  std::string site;
  std::string agent;  ///< name at the site
  Seconds ttl{3600};
  std::string controller_address;  ///< host:port as the Pi will dial it
};

class Enrolment {
 public:
  Enrolment(StateStore& state, Authority& authority, const Clock& clock);

  /// The text to paste on the Pi: carries address, site, agent, expiry, CA fingerprint and a
  /// secret, of which only a digest is stored. Errors: invalid, conflict (the agent exists and is
  /// not revoked).
  Result<std::string> create_token(const TokenRequest& request);

  struct Enrolled {
    AgentRecord agent;
    std::string certificate_pem;  ///< leaf then CA
  };
  /// Uses the token up. Only the public key of `csr_pem` is taken. Errors: denied (unknown,
  /// expired, used: the text says which), invalid.
  Result<Enrolled> redeem(std::string_view token, std::string_view csr_pem);
  /// A fresh certificate for an agent that still has a good one. Errors: denied, not_found.
  Result<Enrolled> renew(std::string_view agent_id, std::string_view csr_pem);

  Result<std::vector<AgentRecord>> agents() const;
  Result<AgentRecord> agent(std::string_view id) const;
  Result<void> revoke(std::string_view agent_id);
};

}  // namespace farboot
