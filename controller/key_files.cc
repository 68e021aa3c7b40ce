#include "controller/key_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/base/log.h"
#include "common/base/unique_fd.h"

namespace farboot {
namespace {

/// Whole or not at all: written beside, synced, renamed.
Result<void> write_private(const std::string& file, std::string_view text) {
  const std::string beside = file + ".new";
  const UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const auto broken = [&](std::string_view what) {
    return fail(Errc::unavailable, "{}: {}: {}", file, what, std::strerror(errno));
  };
  if (!fd) return broken("cannot be made");
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return broken("cannot be written");
  }
  if (::fsync(fd.get()) != 0) return broken("cannot be synced");
  if (::rename(beside.c_str(), file.c_str()) != 0) return broken("cannot be renamed");
  return {};
}

}  // namespace

Result<SigningKey> open_release_key(const std::string& file) {
  if (std::filesystem::exists(file)) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(Errc::denied, "{}: cannot be read", file);
    const std::string pem{std::istreambuf_iterator<char>(in), {}};
    auto key = SigningKey::from_pem(pem);
    if (!key) return prefix(file, key.error());
    return key;
  }
  SigningKey key = SigningKey::generate();
  if (auto written = write_private(file, key.to_pem()); !written) return written.error();
  log::info("controller.release_key_made", log::kv("key", key.verify_key().id()));
  return key;
}

}  // namespace farboot
