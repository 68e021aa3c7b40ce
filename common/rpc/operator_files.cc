#include "common/rpc/operator_files.h"

#include <nlohmann/json.hpp>

#include "common/base/atomic_file.h"

namespace farboot {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;
constexpr unsigned kPrivate = 0600;

std::filesystem::path context_file(const std::filesystem::path& folder) {
  return folder / "context.json";
}

Result<void> write_context(const std::filesystem::path& folder, const nlohmann::json& context) {
  return write_file_atomically(context_file(folder), as_bytes(context.dump(2) + "\n"), kPrivate);
}

/// A folder that was there keeps its permissions: it may be the operator's ~/.config/farboot.
Result<void> make_private_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::create_directories(folder, error)) {
    if (error)
      return fail(Errc::unavailable, "{}: cannot be made: {}", folder.string(), error.message());
    return {};
  }
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  return {};
}

}  // namespace

bool has_operator_context(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::exists(context_file(folder), error);
}

Result<IdentityKey> open_operator_key(const std::filesystem::path& folder) {
  const auto file = folder / "key.pem";
  const auto held = read_file(file, kFileBytesMax);
  if (held) {
    auto key = IdentityKey::from_pem(*held);
    if (!key) return prefix(file.string(), key.error());
    return key;
  }
  if (held.error().code != Errc::not_found) return held.error();
  if (auto made = make_private_folder(folder); !made) return made.error();
  IdentityKey key = IdentityKey::generate();
  auto written = write_file_atomically(file, as_bytes(key.to_pem()), kPrivate);
  if (!written) return written.error();
  return key;
}

Result<void> write_operator_files(const std::filesystem::path& folder, const OperatorFiles& files) {
  if (auto made = make_private_folder(folder); !made) return made;
  for (const auto& [name, content] : std::initializer_list<std::pair<const char*, std::string>>{
           {"ca.pem", files.ca_pem}, {"cert.pem", files.certificate_pem}}) {
    auto written = write_file_atomically(folder / name, as_bytes(content), kPrivate);
    if (!written) return written;
  }
  return write_context(folder, {{"address", files.address}});
}

Result<bool> follow_operator_address(const std::filesystem::path& folder,
                                     const std::string& address) {
  const auto text = read_file(context_file(folder), kFileBytesMax);
  if (!text) return text.error();
  auto context = nlohmann::json::parse(*text, nullptr, false);
  if (!context.is_object()) context = nlohmann::json::object();
  const auto before = context.find("address");
  if (before != context.end() && *before == address) return false;
  context["address"] = address;
  if (auto written = write_context(folder, context); !written) return written.error();
  return true;
}

}  // namespace farboot
