// OpenSSL's X.509 objects with owners, and the few operations the authority needs. Private to pki.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot::x509 {

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_REQ* p) const { X509_REQ_free(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
  void operator()(BIGNUM* p) const { BN_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;
using Key = Owned<EVP_PKEY>;
using Certificate = Owned<X509>;

Key generate_key();  ///< P-256
std::string to_pem(const EVP_PKEY* key);
std::string to_pem(const X509* certificate);
std::string public_pem(const EVP_PKEY* key);
/// Errors: invalid.
Result<Key> key_from_pem(std::string_view pem);
Result<Certificate> certificate_from_pem(std::string_view pem);
/// The public key of a request that is signed by it (proof that the sender has it). Errors:
/// invalid.
Result<Key> key_of_csr(std::string_view csr_pem);

/// What a certificate is to say.
struct Subject {
  std::string common_name;         ///< for people
  std::string uri;                 ///< identity; empty: none
  std::vector<std::string> names;  ///< DNS names and IP literals
  std::string extended_usage;      ///< `serverAuth`, `clientAuth`; empty for a CA
  bool authority = false;
  WallTime expires{};
};
/// Valid from 1970-01-01. `issuer` null: self-signed. Errors: invalid (a name that is neither DNS
/// name nor IP literal).
Result<Certificate> make_certificate(const Subject& subject, EVP_PKEY* public_key,
                                     const X509* issuer, EVP_PKEY* issuer_key);

std::string serial_hex(const X509* certificate);
WallTime expires_of(const X509* certificate);
/// The one URI among its names; empty if there is none or more than one.
std::string uri_of(const X509* certificate);
bool signed_by(X509* certificate, EVP_PKEY* issuer_key);

}  // namespace farboot::x509
