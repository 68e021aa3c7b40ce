#include "agent/link/identity.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "common/base/atomic_file.h"
#include "common/rpc/enrol_token.h"
#include "common/rpc/identity.h"

namespace farboot {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;
constexpr unsigned kPrivate = 0600;

std::filesystem::path current(const std::filesystem::path& state_dir) {
  return state_dir / "identity";
}
std::filesystem::path old(const std::filesystem::path& state_dir) {
  return state_dir / "identity.old";
}
std::filesystem::path fresh(const std::filesystem::path& state_dir) {
  return state_dir / "identity.new";
}

Result<VerifyKey> parse_verify_key(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  auto raw = Digest::from_hex(text);  // 32 bytes as well
  if (!raw) return fail(Errc::invalid, "verify.key: not 64 hexadecimal digits");
  return VerifyKey::from_bytes(raw->bytes);
}

struct Names {
  std::string site, name, address;
};
Result<Names> parse_names(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  Names names;
  for (const auto& [key, into] : {std::pair{"site", &names.site}, std::pair{"name", &names.name},
                                  std::pair{"address", &names.address}}) {
    const auto field = json.is_object() ? json.find(key) : json.end();
    if (!json.is_object() || field == json.end() || !field->is_string())
      return fail(Errc::invalid, "identity.json: no text '{}'", key);
    *into = field->get<std::string>();
  }
  if (!is_peer_word(names.site) || !is_peer_word(names.name) || !is_address(names.address))
    return fail(Errc::invalid, "identity.json: malformed site, name or address");
  return names;
}

Result<void> write_files(const std::filesystem::path& folder, const AgentIdentity& identity) {
  const nlohmann::json json = {{"agent", identity.agent},
                               {"site", identity.site},
                               {"name", identity.name},
                               {"address", identity.address}};
  const std::pair<const char*, std::string> files[] = {
      {"key.pem", identity.credentials.key_pem},
      {"cert.pem", identity.credentials.certificate_pem},
      {"ca.pem", identity.credentials.ca_pem},
      {"verify.key", to_hex(identity.verify_key.bytes()) + "\n"},
      {"identity.json", json.dump(2) + "\n"}};
  for (const auto& [name, content] : files) {
    auto written = write_file_atomically(folder / name, as_bytes(content), kPrivate);
    if (!written) return written.error();
  }
  return {};
}

Error failure(const std::filesystem::path& path, const std::error_code& error) {
  const bool denied = error == std::errc::permission_denied;
  return fail(denied ? Errc::denied : Errc::unavailable, "{}: {}", path.string(), error.message());
}

/// Killed between the two renames of store_identity(): the old one still counts.
void finish_replacement(const std::filesystem::path& state_dir) {
  std::error_code error;
  if (!std::filesystem::exists(current(state_dir), error) &&
      std::filesystem::exists(old(state_dir), error))
    std::filesystem::rename(old(state_dir), current(state_dir), error);
}

}  // namespace

Result<VerifyKey> load_verify_key(const std::filesystem::path& state_dir) {
  finish_replacement(state_dir);
  auto text = read_file(current(state_dir) / "verify.key", kFileBytesMax);
  if (!text) return text.error();
  auto key = parse_verify_key(*text);
  if (!key) return prefix(current(state_dir).string(), key.error());
  return key;
}

Result<AgentIdentity> load_identity(const std::filesystem::path& state_dir) {
  finish_replacement(state_dir);
  const std::filesystem::path folder = current(state_dir);
  auto text = read_file(folder / "identity.json", kFileBytesMax);
  if (!text && text.error().code == Errc::not_found)
    return fail(Errc::not_found,
                "{}: this agent is not enrolled; run `farboot-agent enroll TOKEN` with a token "
                "from `farboot agent enroll`",
                folder.string());
  if (!text) return text.error();
  auto names = parse_names(*text);
  if (!names) return prefix(folder.string(), names.error());
  auto credentials = load_credentials({folder / "ca.pem", folder / "cert.pem", folder / "key.pem"});
  if (!credentials) return credentials.error();
  auto key = IdentityKey::from_pem(credentials->key_pem);
  if (!key) return prefix(folder.string(), key.error());
  auto verify_key = load_verify_key(state_dir);
  if (!verify_key) return verify_key.error();
  return AgentIdentity{
      names->site + "/" + names->name, names->site,     names->name, names->address,
      std::move(*credentials),         std::move(*key), *verify_key};
}

Result<void> store_identity(const std::filesystem::path& state_dir, const AgentIdentity& identity) {
  std::error_code error;
  std::filesystem::remove_all(fresh(state_dir), error);
  std::filesystem::create_directories(fresh(state_dir), error);
  if (error) return failure(fresh(state_dir), error);
  std::filesystem::permissions(fresh(state_dir), std::filesystem::perms::owner_all, error);
  if (error) return failure(fresh(state_dir), error);
  auto written = write_files(fresh(state_dir), identity);
  if (!written) return written.error();
  std::filesystem::remove_all(old(state_dir), error);
  if (std::filesystem::exists(current(state_dir), error)) {
    std::filesystem::rename(current(state_dir), old(state_dir), error);
    if (error) return failure(current(state_dir), error);
  }
  std::filesystem::rename(fresh(state_dir), current(state_dir), error);
  if (error) return failure(current(state_dir), error);
  auto synced = sync_folder(state_dir);
  if (!synced) return synced.error();
  std::filesystem::remove_all(old(state_dir), error);
  return {};
}

Result<void> store_certificate(const std::filesystem::path& state_dir,
                               const std::string& certificate_pem) {
  return write_file_atomically(current(state_dir) / "cert.pem", as_bytes(certificate_pem),
                               kPrivate);
}

Result<WallTime> certificate_expires(std::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  ERR_clear_error();
  struct tm parts {};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) != 1)
    return fail(Errc::invalid, "certificate: not PEM, or without an end");
  return WallTime(Seconds(::timegm(&parts)));
}

}  // namespace farboot
