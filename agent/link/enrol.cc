#include "agent/link/enrol.h"

#include <chrono>
#include <thread>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "agent/link/tls_probe.h"
#include "common/base/atomic_file.h"
#include "common/base/log.h"
#include "common/rpc/enrol_token.h"
#include "common/rpc/identity.h"
#include "common/rpc/status_map.h"
#include "farboot/v1/link.grpc.pb.h"

namespace farboot {
namespace {

constexpr std::size_t kKeyBytesMax = 64 * 1024;

/// The key of an attempt that did not end is used again: the controller may have spent the token on
/// it already, and gives the certificate only to the same key.
Result<IdentityKey> pending_key(const std::filesystem::path& path) {
  auto text = read_file(path, kKeyBytesMax);
  if (text) {
    auto key = IdentityKey::from_pem(*text);
    if (key) return key;
  }
  IdentityKey made = IdentityKey::generate();
  auto written = write_file_atomically(path, as_bytes(made.to_pem()), 0600);
  if (!written) return written.error();
  return made;
}

Result<v1::EnrollResponse> ask(const EnrolToken& token, std::string_view text,
                               const IdentityKey& key, const EnrolSettings& settings) {
  auto ca = presented_certificate(token.address, token.ca_fingerprint, settings.timeout);
  if (!ca) return ca.error();
  auto channel = dial(token.address, Credentials{*ca, "", ""});
  if (!channel) return channel.error();
  v1::EnrollRequest request;
  request.set_token(std::string(text));
  request.set_csr_pem(key.csr_pem());
  request.set_version(settings.version);
  v1::EnrollResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + settings.timeout);
  const auto stub = v1::Enrolment::NewStub(*channel);
  const grpc::Status status = stub->Enroll(&context, request, &response);
  if (!status.ok()) {
    Error error = to_error(status);
    if (error.code == Errc::unavailable)
      error.what += "; if this machine's clock is far ahead, set it: certificates end";
    return prefix(token.address, error);
  }
  return response;
}

Result<AgentIdentity> identity_of(const v1::EnrollResponse& response, const EnrolToken& token,
                                  IdentityKey key) {
  auto verify_key = VerifyKey::from_bytes(as_bytes(response.verify_key()));
  if (!verify_key) return prefix(token.address, verify_key.error());
  auto fingerprint = certificate_fingerprint(response.ca_pem());
  if (!fingerprint) return prefix(token.address, fingerprint.error());
  if (*fingerprint != token.ca_fingerprint.hex())
    return fail(Errc::mismatch, "{}: answered with another CA than the token names", token.address);
  auto certified = public_key_id(response.certificate_pem());
  auto own = public_key_id(key.public_pem());
  if (!certified || !own || *certified != *own || response.site() != token.site ||
      response.name() != token.agent)
    return fail(Errc::mismatch, "{}: answered with a certificate that is not ours", token.address);
  Credentials credentials{response.ca_pem(), response.certificate_pem(), key.to_pem()};
  return AgentIdentity{token.site + "/" + token.agent,
                       token.site,
                       token.agent,
                       response.address().empty() ? token.address : response.address(),
                       std::move(credentials),
                       std::move(key),
                       *verify_key};
}

}  // namespace

Result<AgentIdentity> enrol(std::string_view text, const EnrolSettings& settings) {
  auto token = decode_token(text);
  if (!token) return token.error();
  std::error_code error;
  std::filesystem::create_directories(settings.state_dir, error);
  if (error) return fail(Errc::denied, "{}: {}", settings.state_dir.string(), error.message());
  const auto key_path = settings.state_dir / "identity.key.new";
  auto key = pending_key(key_path);
  if (!key) return key.error();

  Result<v1::EnrollResponse> response = fail(Errc::unavailable, "not asked");
  for (int attempt = 1;; ++attempt) {
    response = ask(*token, text, *key, settings);
    if (response) break;
    const bool again =
        response.error().code == Errc::unavailable || response.error().code == Errc::timeout;
    if (!again || attempt >= settings.attempts_max) return response.error();
    log::warn("link.enrol_again", log::kv("attempt", attempt),
              log::kv("error", response.error().what));
    std::this_thread::sleep_for(Seconds(attempt));
  }
  auto identity = identity_of(*response, *token, std::move(*key));
  if (!identity) return identity.error();
  auto stored = store_identity(settings.state_dir, *identity);
  if (!stored) return stored.error();
  std::filesystem::remove(key_path, error);
  log::info("link.enrolled", log::kv("agent", identity->agent),
            log::kv("address", identity->address),
            log::kv("verify_key", identity->verify_key.id()));
  return identity;
}

}  // namespace farboot
