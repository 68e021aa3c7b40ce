#include "controller/import/tree_source.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace farboot {
namespace {

std::string own_user() {
  const ::uid_t id = ::geteuid();
  std::vector<char> text(16 * 1024);
  ::passwd entry{};
  ::passwd* found = nullptr;
  if (::getpwuid_r(id, &entry, text.data(), text.size(), &found) != 0 || found == nullptr)
    return fmt::format("number {}", id);
  return found->pw_name;
}

}  // namespace

Error not_readable(const std::string& path, int error_number) {
  if (error_number == ENOENT || error_number == ENOTDIR)
    return fail(Errc::not_found, "{}: no such file or directory on the controller",
                printable(path));
  return fail(Errc::denied, "{}: {} (the controller reads it as user {})", printable(path),
              std::strerror(error_number), own_user());
}

bool is_metadata_text(std::string_view path) {
  constexpr std::array<std::string_view, 5> kNames = {".treeinfo", "treeinfo", ".discinfo",
                                                      ".disk/info", "version.info"};
  return std::find(kNames.begin(), kNames.end(), path) != kNames.end();
}

Result<FileEntry> TreeSource::as_file(const std::string& path, const std::vector<FileEntry>&,
                                      ContentStore&, Meter&) {
  return fail(Errc::invalid, "{}: the source is not one file", path);
}

std::uint64_t Listing::size_bytes() const {
  std::uint64_t sum = 0;
  for (const SourceFile& file : files) sum += file.size_bytes.value_or(0);
  return sum;
}

std::uint32_t tree_mode(std::uint32_t mode) { return (mode & 0111) != 0 ? 0755 : 0644; }

}  // namespace farboot
