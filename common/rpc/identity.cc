#include "common/rpc/identity.h"

#include <algorithm>

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include "common/base/bytes.h"
#include "common/rpc/credentials.h"

namespace farboot {
namespace {

constexpr std::string_view kAgentPrefix = "farboot://agent/";
constexpr std::string_view kOperatorPrefix = "farboot://operator/";
constexpr std::size_t kPeerWordBytesMax = 63;

std::string property(const grpc::AuthContext& context, const char* name) {
  const auto values = context.FindPropertyValues(name);
  return values.size() == 1 ? std::string(values[0].data(), values[0].size()) : std::string();
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::viewer: return "viewer";
    case Role::operate: return "operator";
    case Role::admin: return "admin";
  }
  return "viewer";
}

Result<Role> role_from(std::string_view text) {
  for (const Role role : {Role::viewer, Role::operate, Role::admin})
    if (text == to_string(role)) return role;
  return fail(Errc::invalid, "role '{}': not viewer, operator or admin", printable(text, 40));
}

bool is_peer_word(std::string_view text) {
  if (text.empty() || text.size() > kPeerWordBytesMax) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return plain(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
           return plain(c) || c == '.' || c == '_' || c == '-';
         });
}

std::string PeerIdentity::id() const { return kind == PeerKind::agent ? site + "/" + name : name; }

std::string identity_uri(const PeerIdentity& identity) {
  switch (identity.kind) {
    case PeerKind::agent: return std::string(kAgentPrefix) + identity.site + "/" + identity.name;
    case PeerKind::operator_:
      return std::string(kOperatorPrefix) + std::string(to_string(identity.role)) + "/" +
             identity.name;
    case PeerKind::none: break;
  }
  return {};
}

Result<PeerIdentity> parse_identity_uri(std::string_view uri) {
  const bool agent = uri.starts_with(kAgentPrefix);
  if (!agent && !uri.starts_with(kOperatorPrefix))
    return fail(Errc::invalid, "identity '{}': not a name of ours", printable(uri, 80));
  const std::string_view rest = uri.substr(agent ? kAgentPrefix.size() : kOperatorPrefix.size());
  const std::size_t slash = rest.find('/');
  const std::string_view first = rest.substr(0, slash);
  const std::string_view second =
      slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  if (!is_peer_word(first) || !is_peer_word(second))
    return fail(Errc::invalid, "identity '{}': malformed", printable(uri, 80));
  PeerIdentity identity;
  identity.name = second;
  if (agent) {
    identity.kind = PeerKind::agent;
    identity.site = first;
    return identity;
  }
  const auto role = role_from(first);
  if (!role) return role.error();
  identity.kind = PeerKind::operator_;
  identity.role = *role;
  return identity;
}

PeerIdentity peer_identity(const grpc::AuthContext& context) {
  if (!context.IsPeerAuthenticated()) return {};
  const auto names = context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (names.size() != 1) return {};
  auto identity = parse_identity_uri({names[0].data(), names[0].size()});
  if (!identity) return {};
  auto key = public_key_id(property(context, GRPC_X509_PEM_CERT_PROPERTY_NAME));
  if (!key) return {};
  identity->key_id = std::move(*key);
  return std::move(*identity);
}

PeerIdentity peer_identity(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  return auth ? peer_identity(*auth) : PeerIdentity{};
}

Result<PeerIdentity> require_operator(const grpc::ServerContextBase& context, Role least) {
  auto peer = peer_identity(context);
  if (peer.kind != PeerKind::operator_)
    return fail(Errc::denied, "an operator's certificate is needed for this call");
  if (peer.role < least)
    return fail(Errc::denied, "operator {}: role {} may not do this; {} is needed", peer.name,
                to_string(peer.role), to_string(least));
  return peer;
}

Result<PeerIdentity> require_agent(const grpc::ServerContextBase& context) {
  auto peer = peer_identity(context);
  if (peer.kind != PeerKind::agent)
    return fail(Errc::denied, "an agent's certificate is needed for this call");
  return peer;
}

}  // namespace farboot
