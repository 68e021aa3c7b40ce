#include "controller/pki/authority.h"

#include <sys/stat.h>

#include <algorithm>

#include "common/base/atomic_file.h"
#include "common/base/log.h"
#include "common/content/release.h"
#include "common/rpc/credentials.h"
#include "controller/pki/x509.h"

namespace farboot {
namespace {

using std::chrono::days;
constexpr days kAuthorityLife{20 * 365};
constexpr days kServerLife{3 * 365};  // made anew at each start
constexpr days kOperatorLife{5 * 365};
constexpr days kAgentLife{90};
constexpr std::size_t kFileBytesMax = 64 * 1024;

Result<x509::Certificate> make_authority(EVP_PKEY* key, const Clock& clock) {
  x509::Subject subject;
  // The key's own digits: two authorities of one operator can be told apart.
  subject.common_name = "Farboot CA " + sha256(as_bytes(x509::public_pem(key))).hex().substr(0, 8);
  subject.authority = true;
  subject.expires = clock.wall() + kAuthorityLife;
  return x509::make_certificate(subject, key, nullptr, key);
}

/// The key first: a start that was killed in between makes the certificate for the key it finds.
Result<std::string> authority_key(const std::filesystem::path& path, bool certificate_exists) {
  auto pem = read_file(path, kFileBytesMax);
  if (pem) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077u) != 0)
      return fail(Errc::denied, "{}: others may read it; chmod 600", path.string());
    return pem;
  }
  if (pem.error().code != Errc::not_found) return pem.error();
  if (certificate_exists)
    return fail(Errc::invalid,
                "{}: missing, but the certificate is there; restore it from a backup",
                path.string());
  std::string made = x509::to_pem(x509::generate_key().get());
  auto written = write_file_atomically(path, as_bytes(made), 0600);
  if (!written) return written.error();
  return made;
}

/// RFC 5280 ub-common-name: at most 64. It is for people; the identity is in the URI.
std::string common_name(std::string_view kind, std::string_view name) {
  std::string text = std::string(kind) + " " + std::string(name);
  text.resize(std::min<std::size_t>(text.size(), 64));
  return text;
}

}  // namespace

struct Authority::State {
  x509::Key key;
  x509::Certificate certificate;
  std::string ca_pem;
  std::string fingerprint;
  const Clock* clock = nullptr;

  Result<IssuedCertificate> issue(x509::Subject subject, EVP_PKEY* public_key, days life) const {
    subject.expires = clock->wall() + life;
    auto made = x509::make_certificate(subject, public_key, certificate.get(), key.get());
    if (!made) return made.error();
    return IssuedCertificate{x509::to_pem(made->get()) + ca_pem, x509::serial_hex(made->get()),
                             std::chrono::floor<Seconds>(subject.expires)};
  }
  Result<IssuedKeyPair> issue_pair(x509::Subject subject, days life) const {
    const x509::Key pair = x509::generate_key();
    auto issued = issue(std::move(subject), pair.get(), life);
    if (!issued) return issued.error();
    return IssuedKeyPair{std::move(*issued), x509::to_pem(pair.get())};
  }
};

Authority::Authority(std::unique_ptr<State> state) : state_(std::move(state)) {}
Authority::~Authority() = default;

Result<std::unique_ptr<Authority>> Authority::open(const std::filesystem::path& folder,
                                                   const Clock& clock) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Errc::denied, "{}: {}", folder.string(), error.message());
  const auto certificate_path = folder / "ca.pem";
  const auto key_path = folder / "ca.key";
  auto certificate_pem = read_file(certificate_path, kFileBytesMax);
  if (!certificate_pem && certificate_pem.error().code != Errc::not_found)
    return certificate_pem.error();
  const bool exists = certificate_pem.has_value();
  auto key_pem = authority_key(key_path, exists);
  if (!key_pem) return key_pem.error();

  auto state = std::make_unique<State>();
  auto key = x509::key_from_pem(*key_pem);
  if (!key) return prefix(key_path.string(), key.error());
  auto certificate =
      exists ? x509::certificate_from_pem(*certificate_pem) : make_authority(key->get(), clock);
  if (!certificate) return prefix(certificate_path.string(), certificate.error());
  if (X509_check_private_key(certificate->get(), key->get()) != 1)
    return fail(Errc::invalid, "{}: not the certificate of {}", certificate_path.string(),
                key_path.string());
  state->key = std::move(*key);
  state->certificate = std::move(*certificate);
  state->ca_pem = x509::to_pem(state->certificate.get());
  state->clock = &clock;
  auto fingerprint = certificate_fingerprint(state->ca_pem);
  if (!fingerprint) return fingerprint.error();
  state->fingerprint = std::move(*fingerprint);
  if (!exists) {
    auto written = write_file_atomically(certificate_path, as_bytes(state->ca_pem), 0644);
    if (!written) return written.error();
    log::info("pki.created", log::kv("folder", folder.string()),
              log::kv("fingerprint", state->fingerprint));
  }
  return std::unique_ptr<Authority>(new Authority(std::move(state)));
}

const std::string& Authority::ca_pem() const { return state_->ca_pem; }
std::string Authority::fingerprint() const { return state_->fingerprint; }

Result<IssuedKeyPair> Authority::issue_server(const std::vector<std::string>& names) {
  if (names.empty()) return fail(Errc::invalid, "server certificate: no names to be dialled by");
  x509::Subject subject;
  subject.common_name = "farboot controller";
  subject.names = names;
  for (const char* const own : {"localhost", "127.0.0.1", "::1"})
    if (std::find(names.begin(), names.end(), own) == names.end()) subject.names.emplace_back(own);
  subject.extended_usage = "serverAuth";
  return state_->issue_pair(std::move(subject), kServerLife);
}

Result<IssuedCertificate> Authority::issue_operator(std::string_view csr_pem, std::string_view name,
                                                    Role role) {
  if (!is_peer_word(name))
    return fail(Errc::invalid, "operator '{}': not a name", printable(name, 80));
  auto key = x509::key_of_csr(csr_pem);
  if (!key) return key.error();
  PeerIdentity peer;
  peer.kind = PeerKind::operator_;
  peer.role = role;
  peer.name = name;
  x509::Subject subject;
  subject.common_name = common_name("operator", name);
  subject.uri = identity_uri(peer);
  subject.extended_usage = "clientAuth";
  return state_->issue(std::move(subject), key->get(), kOperatorLife);
}

Result<IssuedCertificate> Authority::issue_agent(std::string_view csr_pem, std::string_view site,
                                                 std::string_view name) {
  if (!is_peer_word(site) || !is_peer_word(name))
    return fail(Errc::invalid, "agent '{}/{}': not a name", printable(site, 80),
                printable(name, 80));
  auto key = x509::key_of_csr(csr_pem);
  if (!key) return key.error();
  PeerIdentity peer;
  peer.kind = PeerKind::agent;
  peer.site = site;
  peer.name = name;
  x509::Subject subject;
  subject.common_name = common_name("agent", name);
  subject.uri = identity_uri(peer);
  subject.extended_usage = "clientAuth";
  return state_->issue(std::move(subject), key->get(), kAgentLife);
}

Result<OperatorCertificate> Authority::read_operator(std::string_view certificate_pem) const {
  auto certificate = x509::certificate_from_pem(certificate_pem);
  if (!certificate) return certificate.error();
  if (!x509::signed_by(certificate->get(), state_->key.get()))
    return fail(Errc::denied, "certificate: not of this authority");
  auto peer = parse_identity_uri(x509::uri_of(certificate->get()));
  if (!peer) return peer.error();
  if (peer->kind != PeerKind::operator_) return fail(Errc::invalid, "certificate: no operator's");
  auto key_id = public_key_id(certificate_pem);
  if (!key_id) return key_id.error();
  peer->key_id = std::move(*key_id);
  return OperatorCertificate{std::move(*peer), x509::serial_hex(certificate->get()),
                             x509::expires_of(certificate->get())};
}

Result<std::string> csr_public_key_pem(std::string_view csr_pem) {
  auto key = x509::key_of_csr(csr_pem);
  if (!key) return key.error();
  return x509::public_pem(key->get());
}

}  // namespace farboot
