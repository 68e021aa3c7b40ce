#include "common/rpc/credentials.h"

#include <fstream>
#include <iterator>

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/bytes.h"

namespace farboot {
namespace {

constexpr std::size_t kPemBytesMax = 64 * 1024;
constexpr int kFrameBytes = 1 << 20;
constexpr int kLookaheadBytes = 8 << 20;
/// Calls at once on one connection: an agent has a stream, a fetch or two, a renewal.
constexpr int kCallsPerConnectionMax = 16;
/// Of all connections together, for what is being received and sent.
constexpr std::size_t kServerBytesMax = 1u << 30;

struct Free {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Result<std::string> read_pem(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return fail(Errc::not_found, "{}: no such file", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::denied, "{}: cannot be read", path.string());
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.size() > kPemBytesMax || text.find("-----BEGIN ") == std::string::npos)
    return fail(Errc::invalid, "{}: not a PEM file", path.string());
  return text;
}

Owned<X509> parse_certificate(std::string_view pem) {
  if (pem.empty() || pem.size() > kPemBytesMax) return nullptr;
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Owned<X509>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

bool parses_as_key(std::string_view pem) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Owned<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr)) != nullptr;
}

}  // namespace

Result<Credentials> load_credentials(const CredentialFiles& files) {
  auto ca = read_pem(files.ca);
  if (!ca) return ca.error();
  auto certificate = read_pem(files.certificate);
  if (!certificate) return certificate.error();
  auto key = read_pem(files.key);
  if (!key) return key.error();
  return Credentials{std::move(*ca), std::move(*certificate), std::move(*key)};
}

std::shared_ptr<grpc::ServerCredentials> server_credentials(const Credentials& credentials) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = credentials.ca_pem;
  options.pem_key_cert_pairs.push_back({credentials.key_pem, credentials.certificate_pem});
  return grpc::SslServerCredentials(options);
}

void tune_server(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kCallsPerConnectionMax);
  grpc::ResourceQuota quota("farboot");
  builder.SetResourceQuota(quota.Resize(kServerBytesMax));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, kFrameBytes);
  // Agents ping every 20 s, also without a call; gRPC's own idea of abuse is one in 5 minutes.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
}

Result<std::shared_ptr<grpc::Channel>> dial(const std::string& address,
                                            const Credentials& credentials,
                                            const DialOptions& options) {
  if (address.empty() || address.rfind(':') == std::string::npos)
    return fail(Errc::invalid, "address '{}': not host:port", printable(address, 80));
  if (!parse_certificate(credentials.ca_pem))
    return fail(Errc::invalid, "ca certificate: not a PEM certificate");
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = credentials.ca_pem;
  if (!credentials.certificate_pem.empty()) {
    if (!parse_certificate(credentials.certificate_pem))
      return fail(Errc::invalid, "certificate: not a PEM certificate");
    if (!parses_as_key(credentials.key_pem)) return fail(Errc::invalid, "key: not a PEM key");
    ssl.pem_cert_chain = credentials.certificate_pem;
    ssl.pem_private_key = credentials.key_pem;
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive.count() * 1000));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                   static_cast<int>(options.keepalive_timeout.count() * 1000));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // No proxy of the environment: the address is the controller's own.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(ssl), arguments);
}

Result<std::string> certificate_fingerprint(std::string_view certificate_pem) {
  const auto certificate = parse_certificate(certificate_pem);
  if (!certificate) return fail(Errc::invalid, "certificate: not PEM");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate.get(), EVP_sha256(), digest, &size) != 1)
    return fail(Errc::internal, "certificate: cannot be hashed");
  return to_hex({digest, size});
}

Result<std::string> public_key_id(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return fail(Errc::invalid, "public key: too long");
  unsigned char* der = nullptr;
  int der_bytes = 0;
  if (pem.find("-----BEGIN PUBLIC KEY-----") != std::string_view::npos) {
    const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const Owned<EVP_PKEY> key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
    if (key) der_bytes = i2d_PUBKEY(key.get(), &der);
  } else if (const auto certificate = parse_certificate(pem)) {
    der_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
  }
  if (der_bytes <= 0) return fail(Errc::invalid, "neither a certificate nor a public key");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const int ok =
      EVP_Digest(der, static_cast<std::size_t>(der_bytes), digest, &size, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  if (ok != 1) return fail(Errc::internal, "public key: cannot be hashed");
  return to_hex({digest, size});
}

}  // namespace farboot
