// Our own certificate authority (OpenSSL EVP), made at first start. Identity lies in a URI name of
// the certificate: farboot://agent/<site>/<name> or farboot://operator/<role>/<name>. Keys are
// P-256. Every certificate is valid from 1970-01-01 on: a Pi has no clock when it boots, and must
// be able to dial before it knows the time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/identity.h"

namespace farboot {

struct IssuedCertificate {
  std::string certificate_pem;  ///< leaf then CA
  std::string serial_hex;
  WallTime expires{};
};
struct IssuedKeyPair {
  IssuedCertificate certificate;
  std::string key_pem;
};
/// What an operator's certificate says.
struct OperatorCertificate {
  PeerIdentity peer;
  std::string serial_hex;
  WallTime expires{};
};

/// Thread-safe after open().
class Authority {
 public:
  /// Reads ca.pem and ca.key from `folder` (0600), or makes them. Errors: invalid, denied.
  static Result<std::unique_ptr<Authority>> open(const std::filesystem::path& folder,
                                                 const Clock& clock);
  ~Authority();

  const std::string& ca_pem() const;
  /// SHA-256 of the CA certificate's DER, hex.
  std::string fingerprint() const;

  /// `names`: DNS names and IP literals it will be dialled by; those of the machine itself
  /// (localhost, 127.0.0.1, ::1) always go in too. Valid 3 years: made at each start.
  Result<IssuedKeyPair> issue_server(const std::vector<std::string>& names);
  /// Takes only the public key of the request (P-256). Valid 5 years. Whether it opens a door is
  /// for the OperatorBook to say.
  Result<IssuedCertificate> issue_operator(std::string_view csr_pem, std::string_view name,
                                           Role role);
  /// Takes only the public key of the request (P-256). Valid 90 days.
  Result<IssuedCertificate> issue_agent(std::string_view csr_pem, std::string_view site,
                                        std::string_view name);

  /// Errors: invalid (no certificate, or no operator's), denied (not of this authority).
  Result<OperatorCertificate> read_operator(std::string_view certificate_pem) const;

 private:
  struct State;
  explicit Authority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The public key a request is for, as SubjectPublicKeyInfo PEM. Errors: invalid (also if the
/// request is not signed by that key).
Result<std::string> csr_public_key_pem(std::string_view csr_pem);

}  // namespace farboot
