// The key a program shows itself with (P-256), and what an agent signs with it. It never leaves the
// machine it was made on.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/content/signature.h"

namespace farboot {

class IdentityKey {
 public:
  static IdentityKey generate();
  /// PEM, PKCS#8, no password. Errors: invalid (also for a key that is not P-256).
  static Result<IdentityKey> from_pem(std::string_view pem);
  std::string to_pem() const;

  /// SubjectPublicKeyInfo, PEM.
  std::string public_pem() const;
  /// PKCS#10 request with this key; its name is of no weight, the issuer takes the key only.
  std::string csr_pem() const;
  /// ECDSA over SHA-256 of (domain, kind, SHA-256 of the document); the signature is r and s, 32
  /// bytes each, big-endian.
  SignedDocument sign(DocumentKind kind, Bytes document) const;

  IdentityKey(IdentityKey&&) noexcept;
  IdentityKey& operator=(IdentityKey&&) noexcept;
  ~IdentityKey();

 private:
  struct State;
  explicit IdentityKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `public_pem`: as IdentityKey::public_pem(). Errors: denied (not signed by that key), invalid (no
/// P-256 key).
Result<void> verify_identity_signature(std::string_view public_pem, DocumentKind kind,
                                       const SignedDocument& signed_document);

}  // namespace farboot
