// Our own certificate authority (OpenSSL EVP), made at first start. Identity lies in a URI name of
// the certificate: farboot://agent/<site>/<name> or farboot://operator/<role>/<name>.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

enum class Role : std::uint8_t {
  viewer,
  operate,
  admin
};

struct IssuedCertificate {
  std::string certificate_pem;  ///< leaf then CA
  std::string serial_hex;
  WallTime expires{};
};
struct IssuedKeyPair {
  IssuedCertificate certificate;
  std::string key_pem;
};

class Authority {
 public:
  /// Reads ca.pem and ca.key from `folder` (0600), or makes them. Errors: invalid, denied.
  static Result<std::unique_ptr<Authority>> open(const std::filesystem::path& folder,
                                                 const Clock& clock);
  ~Authority();

  const std::string& ca_pem() const;
  /// SHA-256 of the CA certificate's DER, hex.
  std::string fingerprint() const;

  /// `names`: DNS names and IP literals it will be dialled by.
  Result<IssuedKeyPair> issue_server(const std::vector<std::string>& names);
  Result<IssuedKeyPair> issue_operator(std::string_view name, Role role);
  /// Takes only the public key of the request. Valid 90 days, not-before an hour ago (Pis boot
  /// without a clock).
  Result<IssuedCertificate> issue_agent(std::string_view csr_pem, std::string_view site,
                                        std::string_view name);

 private:
  struct State;
  explicit Authority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace farboot
