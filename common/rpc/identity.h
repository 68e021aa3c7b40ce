// Who is at the other end of a call: the URI name in its certificate. The TLS layer has checked
// already that our CA issued it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace grpc {
class AuthContext;
class ServerContextBase;
}  // namespace grpc

namespace farboot {

/// What an operator may do. Ordered: each may do what the one before may.
enum class Role : std::uint8_t {
  viewer,
  operate,
  admin
};

/// `viewer`, `operator`, `admin`: as it stands in certificates and on screens.
std::string_view to_string(Role role);
/// Errors: invalid.
Result<Role> role_from(std::string_view text);

enum class PeerKind : std::uint8_t {
  none,       ///< no certificate, or one without a name of ours
  agent,      ///< farboot://agent/<site>/<name>
  operator_,  ///< farboot://operator/<role>/<name>
};

struct PeerIdentity {
  PeerKind kind = PeerKind::none;
  std::string site;          ///< agents only
  Role role = Role::viewer;  ///< operators only
  std::string name;
  /// Lower-case hex SHA-256 of the certificate's public key (SubjectPublicKeyInfo, DER). Empty if
  /// the identity does not come from a certificate.
  std::string key_id;

  /// `lyon/pi1` for an agent, the name for an operator, empty for none.
  std::string id() const;
  bool operator==(const PeerIdentity&) const = default;
};

/// `farboot://agent/lyon/pi1`. Parts must be is_peer_word().
std::string identity_uri(const PeerIdentity& identity);
/// Errors: invalid.
Result<PeerIdentity> parse_identity_uri(std::string_view uri);

/// One part of an identity: [a-z0-9] then up to 62 of [a-z0-9._-]; the same rule as is_name().
bool is_peer_word(std::string_view text);

/// kind is none where there is no certificate or no name of ours in it.
PeerIdentity peer_identity(const grpc::AuthContext& context);
PeerIdentity peer_identity(const grpc::ServerContextBase& context);

/// The operator behind a call. Errors: denied (no certificate, an agent's, or a role below
/// `least`).
Result<PeerIdentity> require_operator(const grpc::ServerContextBase& context, Role least);
/// The agent behind a call. Errors: denied. Whether it is revoked is for the caller to ask.
Result<PeerIdentity> require_agent(const grpc::ServerContextBase& context);

}  // namespace farboot
