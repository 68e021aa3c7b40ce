#include "controller/pki/operator_folder.h"

#include "common/base/atomic_file.h"
#include "common/base/log.h"
#include "common/rpc/operator_files.h"

namespace farboot {
namespace {

constexpr std::size_t kCertificateBytesMax = 64 * 1024;

/// A certificate that is no good to us opens no door and keeps no controller from starting.
Result<void> know(OperatorBook& operators, const std::filesystem::path& certificate_file) {
  const auto text = read_file(certificate_file, kCertificateBytesMax);
  const auto adopted = text ? operators.adopt(*text) : Result<void>(text.error());
  if (adopted) return {};
  const Error& error = adopted.error();
  if (error.code != Errc::not_found && error.code != Errc::invalid && error.code != Errc::denied)
    return error;
  log::warn("pki.operator_not_adopted", log::kv("file", certificate_file.string()),
            log::kv("error", error.what));
  return {};
}

}  // namespace

Result<void> make_operator_folder(const std::filesystem::path& folder, OperatorBook& operators,
                                  const std::string& address) {
  if (has_operator_context(folder)) {
    const auto moved = follow_operator_address(folder, address);
    if (!moved) return moved.error();
    if (*moved)
      log::info("pki.context_changed", log::kv("file", (folder / "context.json").string()),
                log::kv("address", address));
    return know(operators, folder / "cert.pem");
  }
  // A start that was killed before the context was written goes on with the same key.
  const auto key = open_operator_key(folder);
  if (!key) return key.error();
  const auto issued = operators.issue({"admin", Role::admin, key->csr_pem(), "controller"});
  if (!issued)
    return prefix((folder / "key.pem").string() + " (move it away to start with a new one)",
                  issued.error());
  auto written = write_operator_files(folder, {issued->ca_pem, issued->certificate_pem, address});
  if (!written) return written;
  log::info("pki.operator_made", log::kv("folder", folder.string()));
  return {};
}

}  // namespace farboot
