#include "agent/link/tls_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "common/base/bytes.h"
#include "common/base/unique_fd.h"

namespace farboot {
namespace {

struct Free {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(addrinfo* p) const { ::freeaddrinfo(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

struct HostPort {
  std::string host, port;
};
HostPort split(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

Result<UniqueFd> connect_one(const addrinfo& to, Seconds timeout) {
  UniqueFd fd(::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, to.ai_protocol));
  if (!fd) return fail(Errc::unavailable, "socket: {}", std::strerror(errno));
  if (::connect(fd.get(), to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return fail(Errc::unavailable, "connect: {}", std::strerror(errno));
    pollfd wait{fd.get(), POLLOUT, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(timeout.count() * 1000));
    if (ready == 0) return fail(Errc::timeout, "connect: no answer in {} s", timeout.count());
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(Errc::unavailable, "connect: {}", std::strerror(error));
  }
  // From here on blocking, with the kernel's timeouts.
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  const timeval limit{static_cast<time_t>(timeout.count()), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

Result<UniqueFd> connect_to(const HostPort& target, Seconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found);
  const Owned<addrinfo> addresses(found);
  if (error != 0) return fail(Errc::unavailable, "{}: {}", target.host, ::gai_strerror(error));
  Result<UniqueFd> last = fail(Errc::unavailable, "{}: no address", target.host);
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    last = connect_one(*one, timeout);
    if (last) break;
  }
  return last;
}

std::string to_pem(X509* certificate) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Result<std::string> presented_certificate(const std::string& address, const Digest& fingerprint,
                                          Seconds timeout) {
  const HostPort target = split(address);
  auto fd = connect_to(target, timeout);
  if (!fd) return prefix(address, fd.error());
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  const Owned<SSL> ssl(context ? SSL_new(context.get()) : nullptr);
  if (!ssl) return fail(Errc::internal, "tls: no context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // Nothing is believed and nothing is sent: the fingerprint decides, then gRPC verifies the chain.
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2);
  SSL_set_tlsext_host_name(ssl.get(), target.host.c_str());
  SSL_set_fd(ssl.get(), fd->get());
  if (SSL_connect(ssl.get()) != 1) {
    ERR_clear_error();
    return fail(Errc::unavailable, "{}: no TLS server there, or it did not answer in {} s", address,
                timeout.count());
  }
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    Digest digest;
    unsigned int size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.bytes.data(), &size) == 1 &&
        digest == fingerprint)
      return to_pem(certificate);
  }
  return fail(Errc::denied,
              "{}: not the controller that the token is of: no certificate with the fingerprint {}",
              address, fingerprint);
}

}  // namespace farboot
