// Signed documents: Ed25519 (RFC 8032) over the SHA-256 of the document's bytes.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

inline constexpr std::size_t kSignedDocumentBytesMax = 16u << 20;

/// What is signed is bytes, and the bytes are kept: a document is never re-serialised to be
/// checked.
struct SignedDocument {
  Bytes document;
  std::array<std::uint8_t, 64> signature{};

  Digest digest() const { return sha256(document); }
  bool operator==(const SignedDocument&) const = default;
};

/// The document's kind goes into what is signed (domain separation), so that a signed desired state
/// can never be passed off as a release.
enum class DocumentKind : std::uint8_t {
  release = 1,
  desired_state = 2,
  ready = 3
};  // on wire: never reuse

class VerifyKey {
 public:
  /// 32 raw bytes. Errors: invalid.
  static Result<VerifyKey> from_bytes(ByteView raw);
  ByteView bytes() const { return raw_; }
  /// Short name for logs: first 16 hex digits of the SHA-256 of the key.
  std::string id() const;
  /// Errors: denied, with the key's id in the text.
  Result<void> verify(DocumentKind kind, const SignedDocument& signed_document) const;
  bool operator==(const VerifyKey&) const = default;

 private:
  std::array<std::uint8_t, 32> raw_{};
};

class SigningKey {
 public:
  static SigningKey generate();
  /// PEM, PKCS#8, as `openssl genpkey -algorithm ed25519` writes it. Errors: invalid.
  static Result<SigningKey> from_pem(std::string_view pem);
  std::string to_pem() const;
  VerifyKey verify_key() const;
  SignedDocument sign(DocumentKind kind, Bytes document) const;

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

 private:
  struct State;
  explicit SigningKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One byte string for stores and bundles: magic, version, signature, document.
Bytes encode_signed(const SignedDocument& signed_document);
/// Looks at the frame only: the signature is for VerifyKey::verify(). Errors: invalid.
Result<SignedDocument> decode_signed(ByteView bytes);

}  // namespace farboot
