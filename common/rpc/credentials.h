// Mutual TLS for every connection between our programs.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace grpc {
class Channel;
class ServerBuilder;
class ServerCredentials;
}  // namespace grpc

namespace farboot {

/// Most bytes of one gRPC message, both directions: a frame of chunks, a desired state with many
/// hosts.
inline constexpr int kMessageBytesMax = 20 << 20;

/// One end's certificate (leaf first), key, and the CA both ends trust. PEM texts.
struct Credentials {
  std::string ca_pem;
  std::string certificate_pem;  ///< empty for a client that has none yet (Enroll)
  std::string key_pem;
};

/// Where they lie. Errors of load_credentials: not_found, denied, invalid, naming the file.
struct CredentialFiles {
  std::filesystem::path ca, certificate, key;
};
Result<Credentials> load_credentials(const CredentialFiles& files);

/// Asks every client for a certificate and verifies one that is given, but does not require it:
/// Enroll comes without. Each handler asks identity.h who is calling.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const Credentials& credentials);

/// Message sizes, calls per connection, memory of all, keepalive that lets idle agents' pings
/// through, frames of 1 MiB.
void tune_server(grpc::ServerBuilder& builder);

struct DialOptions {
  /// Ping an idle connection this often, so that NAT entries live and a dead peer is noticed.
  Seconds keepalive{20};
  Seconds keepalive_timeout{10};
  /// The server certificate's name, where it is not the host of the address. Empty: the host.
  std::string server_name;
};

/// A channel to `address` (host:port). Connects lazily. Errors: invalid (PEM or address malformed).
Result<std::shared_ptr<grpc::Channel>> dial(const std::string& address,
                                            const Credentials& credentials,
                                            const DialOptions& options = {});

/// Lower-case hex SHA-256 of the first certificate's DER. Errors: invalid.
Result<std::string> certificate_fingerprint(std::string_view certificate_pem);
/// Lower-case hex SHA-256 of the SubjectPublicKeyInfo of the first certificate, or of a public key,
/// in `pem`. Errors: invalid.
Result<std::string> public_key_id(std::string_view pem);

}  // namespace farboot
