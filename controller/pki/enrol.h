// One-time tokens and the agents they made. Thread-safe; state in the StateStore (`token/…`,
// `agent/…`).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/log_limit.h"
#include "common/base/result.h"
#include "common/rpc/enrol_token.h"
#include "common/rpc/identity.h"
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
  std::string public_key_pem;  ///< of the key that was enrolled; renewals keep it
  std::string key_id;          ///< as PeerIdentity::key_id
};
/// The value of `agent/<id>`. Errors: corrupt.
Result<AgentRecord> decode_agent_record(std::string_view value);
/// Every agent that was ever enrolled here, revoked ones too, whose id begins so. Blocks. Errors:
/// unavailable, corrupt.
Result<std::vector<AgentRecord>> enrolled_agents(const StateStore& state,
                                                 std::string_view beginning = {});
std::string encode_agent_record(const AgentRecord& record);

struct TokenRequest {
  std::string site;
  std::string agent;  ///< name at the site
  Seconds ttl{3600};
  std::string controller_address;  ///< host:port as the Pi will dial it
};
inline constexpr Seconds kTokenLifeMax{30 * 24 * 3600};

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
    std::string ca_pem;
    std::string address;  ///< as the token said
  };
  /// Uses the token up. Only the public key of `csr_pem` is taken. The key that used it may use it
  /// again until it expires: its answer may have been lost. Errors: denied (unknown, expired, used:
  /// the text says which), invalid.
  Result<Enrolled> redeem(std::string_view token, std::string_view csr_pem);
  /// A fresh certificate for an agent that still has a good one, for the same key. Errors: denied,
  /// not_found, invalid.
  Result<Enrolled> renew(std::string_view agent_id, std::string_view csr_pem);

  /// The record of the agent at the other end of a call. Errors: denied (unknown, revoked, or a key
  /// that is no longer the agent's), logged and counted.
  Result<AgentRecord> admit(const PeerIdentity& peer);

  Result<std::vector<AgentRecord>> agents() const;
  Result<AgentRecord> agent(std::string_view id) const;
  Result<void> revoke(std::string_view agent_id);

  /// Since the start, for metrics.
  struct Counts {
    std::uint64_t enrolled = 0, renewed = 0;
    std::uint64_t token_malformed = 0, token_unknown = 0, token_wrong = 0, token_expired = 0,
                  token_used = 0;
    std::uint64_t agent_refused = 0;  ///< by admit()
  };
  Counts counts() const;

 private:
  struct Counters {
    std::atomic<std::uint64_t> enrolled, renewed, token_malformed, token_unknown, token_wrong,
        token_expired, token_used, agent_refused;
  };
  struct StoredToken;
  Error refuse(Guarded<LogLimit>& limit, std::atomic<std::uint64_t>& counter,
               std::string_view reason, const EnrolToken* token, Error error);
  Result<StoredToken> check_token(const EnrolToken& token, std::string_view key_id);
  Result<Enrolled> enrol(const StoredToken& stored, std::string_view csr_pem,
                         const std::string& public_key_pem);
  Result<void> drop_old_tokens();

  StateStore& state_;
  Authority& authority_;
  const Clock& clock_;
  Counters counters_{};
  /// Of refused tokens: what anybody can make up must not hide one of ours in wrong hands.
  Guarded<LogLimit> nonsense_lines_, token_lines_;
  Guarded<LogLimit> agent_lines_, stranger_lines_;  ///< of admit(): with an agent's name, without
};

}  // namespace farboot
