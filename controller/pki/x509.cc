#include "controller/pki/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <ctime>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace farboot::x509 {
namespace {

constexpr std::size_t kPemBytesMax = 64 * 1024;
constexpr int kSerialBits = 127;  // positive in DER, at most 16 bytes

int no_password(char*, int, int, void*) { return -1; }

Owned<BIO> reader(std::string_view text) {
  Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  FARBOOT_CHECK(bio != nullptr);
  return bio;
}

template <class Write>
std::string pem_of(Write&& write) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  FARBOOT_CHECK(bio != nullptr && write(bio.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

bool is_p256(const EVP_PKEY* key) {
  char group[32] = {};
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.front() == '.' || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
  });
}

/// Built as objects, never as OpenSSL's configuration text: a name cannot smuggle in another.
void add_name(GENERAL_NAMES* names, int type, const void* bytes, std::size_t size) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* value =
      ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  FARBOOT_CHECK(name != nullptr && value != nullptr);
  FARBOOT_CHECK(ASN1_STRING_set(value, bytes, static_cast<int>(size)) == 1);
  GENERAL_NAME_set0_value(name, type, value);
  FARBOOT_CHECK(sk_GENERAL_NAME_push(names, name) > 0);
}

Result<void> add_names(X509* certificate, const Subject& subject) {
  const Owned<GENERAL_NAMES> names(GENERAL_NAMES_new());
  FARBOOT_CHECK(names != nullptr);
  if (!subject.uri.empty()) add_name(names.get(), GEN_URI, subject.uri.data(), subject.uri.size());
  for (const std::string& name : subject.names) {
    if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str())) {
      add_name(names.get(), GEN_IPADD, ASN1_STRING_get0_data(address),
               static_cast<std::size_t>(ASN1_STRING_length(address)));
      ASN1_OCTET_STRING_free(address);
    } else if (is_dns_name(name)) {
      add_name(names.get(), GEN_DNS, name.data(), name.size());
    } else {
      return fail(Errc::invalid, "certificate name '{}': neither a DNS name nor an IP address",
                  printable(name, 80));
    }
  }
  ERR_clear_error();
  if (sk_GENERAL_NAME_num(names.get()) == 0) return {};
  FARBOOT_CHECK(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1);
  return {};
}

void add_extension(X509* certificate, const X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
  FARBOOT_CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_serial(X509* certificate) {
  const Owned<BIGNUM> number(BN_new());
  FARBOOT_CHECK(number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY));
  FARBOOT_CHECK(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void set_validity(X509* certificate, WallTime expires) {
  FARBOOT_CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate), 0) != nullptr);
  const auto seconds = std::chrono::floor<Seconds>(expires).time_since_epoch().count();
  FARBOOT_CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate), seconds) != nullptr);
}

}  // namespace

Key generate_key() {
  Key key(EVP_EC_gen("P-256"));
  FARBOOT_CHECK(key != nullptr);
  return key;
}

std::string to_pem(const EVP_PKEY* key) {
  return pem_of([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string to_pem(const X509* certificate) {
  return pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string public_pem(const EVP_PKEY* key) {
  return pem_of([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); });
}

Result<Key> key_from_pem(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return fail(Errc::invalid, "key: too long");
  Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key) return fail(Errc::invalid, "key: not a PEM private key without password");
  if (!is_p256(key.get())) return fail(Errc::invalid, "key: not a P-256 key");
  return key;
}

Result<Certificate> certificate_from_pem(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return fail(Errc::invalid, "certificate: too long");
  Certificate certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!certificate) return fail(Errc::invalid, "certificate: not PEM");
  return certificate;
}

Result<Key> key_of_csr(std::string_view csr_pem) {
  if (csr_pem.size() > kPemBytesMax) return fail(Errc::invalid, "certificate request: too long");
  const Owned<X509_REQ> request(
      PEM_read_bio_X509_REQ(reader(csr_pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!request) return fail(Errc::invalid, "certificate request: not PEM");
  Key key(X509_REQ_get_pubkey(request.get()));
  const bool proved = key && is_p256(key.get()) && X509_REQ_verify(request.get(), key.get()) == 1;
  ERR_clear_error();
  if (!key || !is_p256(key.get()))
    return fail(Errc::invalid, "certificate request: not for a P-256 key");
  if (!proved) return fail(Errc::invalid, "certificate request: not signed by its own key");
  return key;
}

Result<Certificate> make_certificate(const Subject& subject, EVP_PKEY* public_key,
                                     const X509* issuer, EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new());
  FARBOOT_CHECK(certificate != nullptr);
  X509* x = certificate.get();
  FARBOOT_CHECK(X509_set_version(x, X509_VERSION_3) == 1);
  set_serial(x);
  set_validity(x, subject.expires);
  FARBOOT_CHECK(
      X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(subject.common_name.data()),
                                 static_cast<int>(subject.common_name.size()), -1, 0) == 1);
  const X509* by = issuer != nullptr ? issuer : x;
  FARBOOT_CHECK(X509_set_issuer_name(x, X509_get_subject_name(by)) == 1);
  FARBOOT_CHECK(X509_set_pubkey(x, public_key) == 1);
  add_extension(x, by, NID_basic_constraints,
                subject.authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
  add_extension(x, by, NID_key_usage,
                subject.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  if (!subject.extended_usage.empty())
    add_extension(x, by, NID_ext_key_usage, subject.extended_usage.c_str());
  add_extension(x, by, NID_subject_key_identifier, "hash");
  add_extension(x, by, NID_authority_key_identifier, "keyid:always");
  auto named = add_names(x, subject);
  if (!named) return named.error();
  FARBOOT_CHECK(X509_sign(x, issuer_key, EVP_sha256()) > 0);
  return certificate;
}

std::string serial_hex(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  return to_hex(
      {ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))});
}

WallTime expires_of(const X509* certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return {};
  return WallTime(Seconds(::timegm(&parts)));
}

std::string uri_of(const X509* certificate) {
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  std::string found;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_URI) continue;
    if (!found.empty()) return {};
    const auto* const text = static_cast<const ASN1_STRING*>(value);
    found.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                 static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return found;
}

bool signed_by(X509* certificate, EVP_PKEY* issuer_key) {
  const bool good = X509_verify(certificate, issuer_key) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace farboot::x509
