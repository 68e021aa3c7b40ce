#include "controller/pki/operator_folder.h"

#include <nlohmann/json.hpp>

#include "common/base/atomic_file.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::size_t kContextBytesMax = 64 * 1024;
constexpr unsigned kPrivate = 0600;

Result<void> write_context(const std::filesystem::path& file, const nlohmann::json& context) {
  return write_file_atomically(file, as_bytes(context.dump(2) + "\n"), kPrivate);
}

/// The settings may name another address than at the first start: then that one is the context's.
Result<void> follow_address(const std::filesystem::path& file, std::string_view text,
                            const std::string& address) {
  auto context = nlohmann::json::parse(text, nullptr, false);
  if (!context.is_object()) context = nlohmann::json::object();
  const auto before = context.find("address");
  if (before != context.end() && *before == address) return {};
  context["address"] = address;
  auto written = write_context(file, context);
  if (written)
    log::info("pki.context_changed", log::kv("file", file.string()), log::kv("address", address));
  return written;
}

}  // namespace

Result<void> make_operator_folder(const std::filesystem::path& folder, Authority& authority,
                                  const std::string& address) {
  const auto context_file = folder / "context.json";
  const auto text = read_file(context_file, kContextBytesMax);
  if (text) return follow_address(context_file, *text, address);
  if (text.error().code != Errc::not_found) return text.error();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fail(Errc::unavailable, "{}: cannot be made: {}", folder.string(), error.message());
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  auto issued = authority.issue_operator("admin", Role::admin);
  if (!issued) return issued.error();
  for (const auto& [name, content] : std::initializer_list<std::pair<const char*, std::string>>{
           {"ca.pem", authority.ca_pem()},
           {"cert.pem", issued->certificate.certificate_pem},
           {"key.pem", issued->key_pem}}) {
    auto written = write_file_atomically(folder / name, as_bytes(content), kPrivate);
    if (!written) return written;
  }
  // The context last: it is what says that the folder is whole.
  auto written = write_context(context_file, {{"address", address}});
  if (!written) return written;
  log::info("pki.operator_made", log::kv("folder", folder.string()));
  return {};
}

}  // namespace farboot
