// Boot loaders: a folder's, a Debian package's, a file's bytes by the names agents serve them
// under.
#include "controller/import/loader_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "common/base/unique_fd.h"
#include "common/content/manifest.h"
#include "controller/import/archive.h"
#include "controller/import/directory_source.h"
#include "controller/import/links.h"
#include "controller/import/loader_layout.h"
#include "controller/import/meter.h"

namespace farboot {
namespace {

constexpr std::size_t kLoaderBytesMax = 64u << 20;
constexpr std::size_t kLoadersBytesMax = 512u << 20;
constexpr std::size_t kPackageBytesMax = 1u << 30;
constexpr std::size_t kLoadersMax = 1000;
constexpr std::size_t kPackageEntriesMax = 20'000;  ///< those passed over included
constexpr std::string_view kPackageMagic = "!<arch>\n";

Result<Bytes> read_all(const std::string& path, std::size_t bytes_max) {
  // A pipe would keep us waiting for its writer.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return not_readable(path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return not_readable(path, errno);
  if (!S_ISREG(status.st_mode))
    return fail(Errc::invalid, "{}: is no file, but a pipe, a device or the like: name a file",
                printable(path));
  Bytes whole;
  Bytes buffer(256 * 1024);
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::unavailable, "{}: {}", printable(path), std::strerror(errno));
    if (got == 0) return whole;
    if (whole.size() + static_cast<std::size_t>(got) > bytes_max)
      return fail(Errc::invalid, "{}: more than {} bytes", printable(path), bytes_max);
    whole.insert(whole.end(), buffer.begin(), buffer.begin() + got);
  }
}

/// Takes loaders within the limits; the second of two that want one name is left out.
class Finds {
 public:
  /// `path` in the source. Errors: exhausted.
  Result<void> add(const std::string& name, const std::string& path, Bytes bytes) {
    bytes_ += bytes.size();
    if (found_.files.size() == kLoadersMax || bytes_ > kLoadersBytesMax)
      return fail(Errc::exhausted, "more than {} loaders, or more than {} bytes", kLoadersMax,
                  kLoadersBytesMax);
    const auto [first, is_new] = found_.files.try_emplace(name, FoundLoader{{}, path});
    if (is_new)
      first->second.bytes = std::move(bytes);
    else if (first->second.bytes != bytes)
      found_.notes.push_back(fmt::format("{} is {}; {} would have that name too, and was left out",
                                         name, printable(first->second.path), printable(path)));
    return {};
  }
  FoundLoaders take() { return std::move(found_); }

 private:
  FoundLoaders found_;
  std::size_t bytes_ = 0;
};

std::string_view without_slashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

/// The last part of a path.
std::string_view own_name(std::string_view path) {
  path = without_slashes(path);
  return path.substr(path.rfind('/') + 1);
}

Result<FoundLoaders> from_folder(const std::string& folder) {
  const ImportWatcher nobody;
  Meter meter(nobody);
  auto listing = DirectorySource(folder).list(meter);
  if (!listing) return listing.error();
  std::set<std::string> paths;
  for (const SourceFile& file : listing->files) paths.insert(file.path);
  for (const SourceLink& link : listing->links) paths.insert(link.path);
  Finds finds;
  for (const std::string& path : paths) {
    const auto name =
        loader_name(fmt::format("{}/{}", own_name(folder), path), LoaderPlace::folder);
    if (!name) continue;
    auto bytes = read_all(fmt::format("{}/{}", folder, path), kLoaderBytesMax);
    if (!bytes) return bytes.error();
    if (auto ok = finds.add(*name, path, std::move(*bytes)); !ok) return ok.error();
  }
  return finds.take();
}

/// What a package's tar holds, by path in the file system.
struct PackageFiles {
  std::map<std::string, Bytes> files;
  std::map<std::string, std::string> links;
  std::size_t bytes = 0;
  std::size_t entries = 0;
  std::uint64_t bytes_unpacked = 0;  ///< of entries passed over, too: they are unpacked as well
};

/// Each is unpacked to get at the next one, whether it is wanted or not.
Result<void> count_entry(::archive_entry* entry, PackageFiles& package) {
  if (++package.entries > kPackageEntriesMax)
    return fail(Errc::exhausted, "more than {} entries: not a package of boot loaders",
                kPackageEntriesMax);
  package.bytes_unpacked +=
      static_cast<std::uint64_t>(std::max<::la_int64_t>(0, ::archive_entry_size(entry)));
  if (package.bytes_unpacked > kPackageBytesMax)
    return fail(Errc::exhausted, "more than {} bytes unpacked: not a package of boot loaders",
                kPackageBytesMax);
  return {};
}

/// Everything that may be a loader, or that one of its links may lead to: Debian 12 has them in
/// /boot.
bool is_wanted(std::string_view path) {
  return path.starts_with("boot/") || loader_name(path, LoaderPlace::package);
}

Result<void> take_entry(PulledArchive& archive, ::archive_entry* entry, PackageFiles& package) {
  const char* written = ::archive_entry_pathname(entry);
  std::string_view path = written == nullptr ? "" : written;
  while (path.starts_with("./")) path.remove_prefix(2);
  if (!is_tree_path(path) || !is_wanted(path)) return {};
  if (package.files.size() + package.links.size() == kLoadersMax)
    return fail(Errc::exhausted, "more than {} loaders", kLoadersMax);
  if (const char* target = ::archive_entry_symlink(entry); target != nullptr)
    package.links[std::string(path)] = target;
  if (::archive_entry_filetype(entry) != AE_IFREG) return {};
  Bytes& bytes = package.files[std::string(path)];
  bytes.clear();  // a tar may hold a path twice: the last one counts
  auto ok = archive.read(kLoaderBytesMax, [&](ByteView part) -> Result<void> {
    package.bytes += part.size();
    if (package.bytes > kLoadersBytesMax)
      return fail(Errc::exhausted, "more than {} bytes of loaders", kLoadersBytesMax);
    bytes.insert(bytes.end(), part.begin(), part.end());
    return {};
  });
  return ok ? ok : Result<void>(prefix(printable(path), ok.error()));
}

/// Debian links ipxe.efi and ipxe.lkrn to /boot, which is in the same package. Each link is a copy.
Result<void> follow_links(PackageFiles& package) {
  for (const auto& [path, target] : package.links) {
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    const auto real = target.starts_with('/') ? join_tree_path("", target.substr(1))
                                              : join_tree_path(folder, target);
    const auto file = real ? package.files.find(*real) : package.files.end();
    if (file == package.files.end()) continue;
    package.bytes += file->second.size();
    if (package.bytes > kLoadersBytesMax)
      return fail(Errc::exhausted, "more than {} bytes of loaders", kLoadersBytesMax);
    package.files.try_emplace(path, file->second);
  }
  return {};
}

/// The tar inside a .deb: `./usr/lib/ipxe/undionly.kpxe` and so on.
Result<FoundLoaders> from_data_tar(ByteView tar) {
  PulledArchive archive(pull_from(tar));
  support_filters(archive.get());
  ::archive_read_support_format_tar(archive.get());
  if (auto ok = archive.open(); !ok) return ok.error();
  PackageFiles package;
  for (::archive_entry* entry = nullptr;;) {
    auto more = archive.next(entry);
    if (!more) return more.error();
    if (!*more) break;
    if (auto ok = count_entry(entry, package); !ok) return ok.error();
    if (auto ok = take_entry(archive, entry, package); !ok) return ok.error();
  }
  if (auto ok = follow_links(package); !ok) return ok.error();
  Finds finds;
  for (auto& [path, bytes] : package.files) {
    const auto name = loader_name(path, LoaderPlace::package);
    if (!name) continue;
    if (auto ok = finds.add(*name, path, std::move(bytes)); !ok) return ok.error();
  }
  return finds.take();
}

Result<FoundLoaders> from_file(const std::string& path) {
  auto bytes = read_all(path, kPackageBytesMax);
  if (!bytes) return bytes.error();
  if (as_text(*bytes).starts_with(kPackageMagic)) {
    auto found = read_loader_package(*bytes);
    return found ? std::move(found) : Result<FoundLoaders>(prefix(printable(path), found.error()));
  }
  // Its folder may say the architecture, as iPXE's own build folders do.
  const auto slash = path.rfind('/');
  const std::string folder(slash == std::string::npos ? "" : own_name(path.substr(0, slash)));
  const auto name = loader_name(fmt::format("{}/{}", folder, own_name(path)), LoaderPlace::folder);
  if (!name || !is_tree_path(*name) || bytes->size() > kLoaderBytesMax)
    return fail(Errc::invalid,
                "{}: neither a folder, nor a Debian package, nor a boot loader by its name ({})",
                printable(path), loader_names_looked_for());
  Finds finds;
  if (auto ok = finds.add(*name, path, std::move(*bytes)); !ok) return ok.error();
  return finds.take();
}

}  // namespace

Result<FoundLoaders> read_loader_package(ByteView package) {
  PulledArchive archive(pull_from(package));
  ::archive_read_support_format_ar(archive.get());
  if (auto ok = archive.open(); !ok) return ok.error();
  for (::archive_entry* entry = nullptr;;) {
    auto more = archive.next(entry);
    if (!more) return fail(Errc::invalid, "not a Debian package: {}", more.error().what);
    if (!*more) break;
    const char* name = ::archive_entry_pathname(entry);
    if (name == nullptr || !std::string_view(name).starts_with("data.tar")) continue;
    Bytes tar;
    auto ok = archive.read(kPackageBytesMax, [&tar](ByteView part) -> Result<void> {
      tar.insert(tar.end(), part.begin(), part.end());
      return {};
    });
    if (!ok) return ok.error();
    return from_data_tar(tar);
  }
  return fail(Errc::invalid, "no data.tar in it: not a Debian package");
}

Result<FoundLoaders> read_loaders(const std::string& source) {
  const std::string from(without_slashes(source));
  struct stat status {};
  if (::stat(from.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return not_readable(from, errno);
    return fail(Errc::not_found,
                "{}: no such folder, .deb or file on the controller (Debian's package 'ipxe' puts "
                "boot loaders into {})",
                printable(from), kDefaultLoaders);
  }
  auto found = S_ISDIR(status.st_mode) ? from_folder(from) : from_file(from);
  if (!found) return found.error();
  if (found->files.empty())
    return fail(Errc::not_found, "{}: no boot loaders in it; looked for {}", printable(from),
                loader_names_looked_for());
  return found;
}

}  // namespace farboot
