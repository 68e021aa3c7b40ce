#include "controller/import/directory_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/base/unique_fd.h"
#include "common/content/manifest.h"
#include "controller/import/intake.h"

namespace farboot {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 1u << 20;

Result<UniqueFd> open_file(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() >= 0) return file;
  return fail(errno == ENOENT ? Errc::not_found : Errc::denied, "{}: {}", printable(path),
              std::strerror(errno));
}

Result<void> read_file(const std::string& path, Bytes& buffer, Intake& intake) {
  auto file = open_file(path);
  if (!file) return file.error();
  ::posix_fadvise(file->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  while (true) {
    const ssize_t got = ::read(file->get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::unavailable, "{}: {}", printable(path), std::strerror(errno));
    if (got == 0) return {};
    if (auto ok = intake.write(ByteView(buffer).first(static_cast<std::size_t>(got))); !ok)
      return ok.error();
  }
}

Result<std::string> read_text(const std::string& path) {
  auto file = open_file(path);
  if (!file) return file.error();
  std::string text(kMetadataTextBytesMax, '\0');
  const ssize_t got = ::read(file->get(), text.data(), text.size());
  if (got < 0) return fail(Errc::unavailable, "{}: {}", printable(path), std::strerror(errno));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

Result<void> list_entry(const fs::path& root, const fs::path& full, Listing& listing) {
  const std::string path = full.lexically_relative(root).string();
  struct stat status {};
  if (::lstat(full.c_str(), &status) != 0)
    return fail(Errc::unavailable, "{}: {}", printable(path), std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return {};
  if (!is_tree_path(path))
    return fail(Errc::invalid, "path '{}': not one a tree may hold", printable(path));
  if (S_ISLNK(status.st_mode)) {
    std::error_code problem;
    const fs::path target = fs::read_symlink(full, problem);
    if (problem) return fail(Errc::unavailable, "{}: {}", printable(path), problem.message());
    listing.links.push_back({path, target.string()});
    return {};
  }
  if (!S_ISREG(status.st_mode))
    return fail(Errc::invalid, "{}: neither a file, a directory nor a link", printable(path));
  SourceFile file{.path = path, .mode = tree_mode(status.st_mode)};
  file.size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (is_metadata_text(path) && file.size_bytes <= kMetadataTextBytesMax) {
    auto text = read_text(full.string());
    if (!text) return text.error();
    listing.texts[path] = std::move(*text);
  }
  listing.files.push_back(std::move(file));
  return {};
}

}  // namespace

Result<Listing> DirectorySource::list(Meter& meter) {
  Listing listing;
  std::error_code problem;
  const fs::path root(root_);
  fs::recursive_directory_iterator each(root, fs::directory_options::none, problem);
  const fs::recursive_directory_iterator end;
  while (!problem && each != end) {
    if (auto ok = list_entry(root, each->path(), listing); !ok)
      return prefix(printable(root_), ok.error());
    if (listing.files.size() + listing.links.size() > kManifestFilesMax)
      return fail(Errc::exhausted, "{}: more than {} files", printable(root_), kManifestFilesMax);
    if (auto ok = meter.tick(); !ok) return ok.error();
    each.increment(problem);
  }
  if (problem) return fail(Errc::unavailable, "{}: {}", printable(root_), problem.message());
  std::sort(listing.files.begin(), listing.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return listing;
}

Result<void> DirectorySource::read(const Listing& listing, Intake& intake) {
  Bytes buffer(kReadBytes);
  for (const SourceFile& file : listing.files) {
    if (auto ok = intake.begin(file); !ok) return ok.error();
    if (auto ok = read_file(fmt::format("{}/{}", root_, file.path), buffer, intake); !ok)
      return ok.error();
    if (auto ok = intake.end(); !ok) return prefix(printable(root_), ok.error());
  }
  return {};
}

}  // namespace farboot
