#include "common/content/identity_key.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/check.h"
#include "common/content/pem.h"

namespace farboot {
namespace {

/// Begins everything an identity key signs, TLS aside: no other signature can be taken for ours.
constexpr std::string_view kIdentityDomain = "farboot identity signature 1\n";
constexpr int kHalfBytes = 32;  // of a P-256 signature: r, s

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(X509_REQ* p) const { X509_REQ_free(p); }
  void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

bool is_p256(const EVP_PKEY* key) {
  char group[32] = {};
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

template <class Write>
std::string pem_of(Write&& write) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  FARBOOT_CHECK(bio != nullptr);
  FARBOOT_CHECK(write(bio.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

Bytes signed_message(DocumentKind kind, ByteView document) {
  Bytes message = to_bytes(kIdentityDomain);
  message.push_back(static_cast<std::uint8_t>(kind));
  const Digest digest = sha256(document);
  message.insert(message.end(), digest.bytes.begin(), digest.bytes.end());
  return message;
}

}  // namespace

struct IdentityKey::State {
  Owned<EVP_PKEY> key;
};

IdentityKey::IdentityKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
IdentityKey::IdentityKey(IdentityKey&&) noexcept = default;
IdentityKey& IdentityKey::operator=(IdentityKey&&) noexcept = default;
IdentityKey::~IdentityKey() = default;

IdentityKey IdentityKey::generate() {
  auto state = std::make_unique<State>();
  state->key.reset(EVP_EC_gen("P-256"));
  FARBOOT_CHECK(state->key != nullptr);
  return IdentityKey(std::move(state));
}

Result<IdentityKey> IdentityKey::from_pem(std::string_view pem) {
  if (pem.size() > kPemBytesMax)
    return fail(Errc::invalid, "identity key: {} bytes of PEM, at most {}", pem.size(),
                kPemBytesMax);
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  FARBOOT_CHECK(bio != nullptr);
  auto state = std::make_unique<State>();
  state->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!state->key) return fail(Errc::invalid, "identity key: not a PEM key without password");
  if (!is_p256(state->key.get())) return fail(Errc::invalid, "identity key: not a P-256 key");
  return IdentityKey(std::move(state));
}

std::string IdentityKey::to_pem() const {
  return pem_of([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, state_->key.get(), nullptr, nullptr, 0, nullptr,
                                         nullptr);
  });
}

std::string IdentityKey::public_pem() const {
  return pem_of([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, state_->key.get()); });
}

std::string IdentityKey::csr_pem() const {
  const Owned<X509_REQ> request(X509_REQ_new());
  FARBOOT_CHECK(request != nullptr);
  FARBOOT_CHECK(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1);
  X509_NAME* name = X509_REQ_get_subject_name(request.get());
  FARBOOT_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                           reinterpret_cast<const unsigned char*>("farboot"), -1,
                                           -1, 0) == 1);
  FARBOOT_CHECK(X509_REQ_set_pubkey(request.get(), state_->key.get()) == 1);
  FARBOOT_CHECK(X509_REQ_sign(request.get(), state_->key.get(), EVP_sha256()) > 0);
  return pem_of([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); });
}

SignedDocument IdentityKey::sign(DocumentKind kind, Bytes document) const {
  const Bytes message = signed_message(kind, document);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  FARBOOT_CHECK(context != nullptr);
  FARBOOT_CHECK(
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()) == 1);
  unsigned char der[128];
  std::size_t der_bytes = sizeof der;
  FARBOOT_CHECK(EVP_DigestSign(context.get(), der, &der_bytes, message.data(), message.size()) ==
                1);
  const unsigned char* at = der;
  const Owned<ECDSA_SIG> pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der_bytes)));
  FARBOOT_CHECK(pair != nullptr);
  SignedDocument result;
  FARBOOT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), result.signature.data(), kHalfBytes) ==
                kHalfBytes);
  FARBOOT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), result.signature.data() + kHalfBytes,
                             kHalfBytes) == kHalfBytes);
  result.document = std::move(document);
  return result;
}

Result<void> verify_identity_signature(std::string_view public_pem, DocumentKind kind,
                                       const SignedDocument& signed_document) {
  if (public_pem.size() > kPemBytesMax) return fail(Errc::invalid, "public key: too long");
  const Owned<BIO> bio(BIO_new_mem_buf(public_pem.data(), static_cast<int>(public_pem.size())));
  FARBOOT_CHECK(bio != nullptr);
  const Owned<EVP_PKEY> key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key || !is_p256(key.get())) return fail(Errc::invalid, "public key: not a P-256 key");

  const Owned<ECDSA_SIG> pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(signed_document.signature.data(), kHalfBytes, nullptr);
  BIGNUM* s = BN_bin2bn(signed_document.signature.data() + kHalfBytes, kHalfBytes, nullptr);
  FARBOOT_CHECK(pair && r != nullptr && s != nullptr);
  FARBOOT_CHECK(ECDSA_SIG_set0(pair.get(), r, s) == 1);  // owns r and s now
  unsigned char* der = nullptr;
  const int der_bytes = i2d_ECDSA_SIG(pair.get(), &der);
  FARBOOT_CHECK(der_bytes > 0);
  const Bytes message = signed_message(kind, signed_document.document);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  FARBOOT_CHECK(context != nullptr);
  FARBOOT_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) ==
                1);
  const int verdict = EVP_DigestVerify(context.get(), der, static_cast<std::size_t>(der_bytes),
                                       message.data(), message.size());
  OPENSSL_free(der);
  ERR_clear_error();
  if (verdict != 1)
    return fail(Errc::denied, "document {}: not signed by this identity",
                signed_document.digest().short_hex());
  return {};
}

}  // namespace farboot
