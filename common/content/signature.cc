#include "common/content/signature.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/content/byte_codec.h"
#include "common/content/pem.h"

namespace farboot {
namespace {

constexpr std::string_view kMagic = "FBSD";
constexpr std::uint32_t kEnvelopeVersion = 1;  // on disk and on wire: never reuse a number
/// Begins everything we ever sign, so that no other protocol's signature can be taken for ours.
constexpr std::string_view kDocumentDomain = "farboot signed document 1\n";

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using Bio = std::unique_ptr<BIO, FreeBio>;

/// What Ed25519 is applied to: SHA-256(domain, kind, SHA-256(document)).
Digest signed_digest(DocumentKind kind, ByteView document) {
  const auto kind_byte = static_cast<std::uint8_t>(kind);
  Sha256 hasher;
  hasher.update(as_bytes(kDocumentDomain));
  hasher.update({&kind_byte, 1});
  hasher.update(sha256(document).view());
  return hasher.finish();
}

}  // namespace

Result<VerifyKey> VerifyKey::from_bytes(ByteView raw) {
  VerifyKey key;
  if (raw.size() != key.raw_.size())
    return fail(Errc::invalid, "verify key: {} bytes, 32 expected", raw.size());
  std::copy(raw.begin(), raw.end(), key.raw_.begin());
  return key;
}

std::string VerifyKey::id() const { return sha256(raw_).hex().substr(0, 16); }

Result<void> VerifyKey::verify(DocumentKind kind, const SignedDocument& signed_document) const {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw_.data(), raw_.size()));
  const Context context(EVP_MD_CTX_new());
  FARBOOT_CHECK(key && context);
  FARBOOT_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  const Digest digest = signed_digest(kind, signed_document.document);
  const int verdict =
      EVP_DigestVerify(context.get(), signed_document.signature.data(),
                       signed_document.signature.size(), digest.bytes.data(), digest.bytes.size());
  ERR_clear_error();
  if (verdict != 1)
    return fail(Errc::denied, "document {}: signature is not by key {}",
                signed_document.digest().short_hex(), id());
  return {};
}

struct SigningKey::State {
  Key key;
};

SigningKey::SigningKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate() {
  auto state = std::make_unique<State>();
  state->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  FARBOOT_CHECK(state->key != nullptr);
  return SigningKey(std::move(state));
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  if (pem.size() > kPemBytesMax)
    return fail(Errc::invalid, "signing key: {} bytes of PEM, at most {}", pem.size(),
                kPemBytesMax);
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  FARBOOT_CHECK(bio != nullptr);
  auto state = std::make_unique<State>();
  state->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!state->key)
    return fail(Errc::invalid, "signing key: not a PEM private key without password");
  if (EVP_PKEY_get_base_id(state->key.get()) != EVP_PKEY_ED25519)
    return fail(Errc::invalid, "signing key: not an Ed25519 key");
  return SigningKey(std::move(state));
}

std::string SigningKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  FARBOOT_CHECK(bio != nullptr);
  FARBOOT_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0,
                                              nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

VerifyKey SigningKey::verify_key() const {
  std::array<std::uint8_t, 32> raw{};
  std::size_t size = raw.size();
  FARBOOT_CHECK(EVP_PKEY_get_raw_public_key(state_->key.get(), raw.data(), &size) == 1);
  auto key = VerifyKey::from_bytes(raw);
  FARBOOT_CHECK(key);
  return *key;
}

SignedDocument SigningKey::sign(DocumentKind kind, Bytes document) const {
  const Context context(EVP_MD_CTX_new());
  FARBOOT_CHECK(context != nullptr);
  FARBOOT_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) ==
                1);
  const Digest digest = signed_digest(kind, document);
  SignedDocument result;
  std::size_t size = result.signature.size();
  FARBOOT_CHECK(EVP_DigestSign(context.get(), result.signature.data(), &size, digest.bytes.data(),
                               digest.bytes.size()) == 1);
  FARBOOT_CHECK(size == result.signature.size());
  result.document = std::move(document);
  return result;
}

Bytes encode_signed(const SignedDocument& signed_document) {
  ByteWriter out;
  out.reserve(kMagic.size() + 4 + signed_document.signature.size() +
              signed_document.document.size());
  out.raw(as_bytes(kMagic));
  out.number(kEnvelopeVersion);
  out.raw(signed_document.signature);
  out.raw(signed_document.document);
  return out.take();
}

Result<SignedDocument> decode_signed(ByteView bytes) {
  ByteReader in(bytes);
  const ByteView magic = in.raw(kMagic.size());
  if (as_text(magic) != kMagic)
    return fail(Errc::invalid, "signed document: does not begin with {}", kMagic);
  const auto version = in.number<std::uint32_t>();
  if (in.ok() && version != kEnvelopeVersion)
    return fail(Errc::invalid, "signed document: version {}, this program reads {}", version,
                kEnvelopeVersion);
  SignedDocument result;
  const ByteView signature = in.raw(result.signature.size());
  if (!in.ok() || in.left() == 0) return fail(Errc::invalid, "signed document: cut short");
  if (in.left() > kSignedDocumentBytesMax)
    return fail(Errc::invalid, "signed document: {} bytes, at most {}", in.left(),
                kSignedDocumentBytesMax);
  std::copy(signature.begin(), signature.end(), result.signature.begin());
  const ByteView document = in.raw(in.left());
  result.document.assign(document.begin(), document.end());
  return result;
}

}  // namespace farboot
