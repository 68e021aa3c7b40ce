// Boot loaders: from a folder or a Debian package into a manifest.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "common/base/log.h"
#include "common/base/unique_fd.h"
#include "controller/import/archive.h"
#include "controller/import/directory_source.h"
#include "controller/import/importer.h"
#include "controller/import/intake.h"
#include "controller/import/links.h"

namespace farboot {
namespace {

constexpr std::array kSuffixes = {".kpxe", ".kkpxe", ".pxe", ".efi", ".lkrn"};
constexpr std::string_view kDefaultFolder = "/usr/lib/ipxe";
/// In a package, only what lies below here; the same files also lie in /boot.
constexpr std::string_view kPackageFolder = "usr/lib/ipxe/";
constexpr std::size_t kLoaderBytesMax = 64u << 20;
constexpr std::size_t kPackageBytesMax = 1u << 30;
constexpr std::size_t kLoadersMax = 1000;

using LoaderFiles = std::map<std::string, Bytes>;

bool is_loader(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.starts_with("wimboot")) return true;
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [name](std::string_view suffix) { return name.ends_with(suffix); });
}

std::string kept_names() { return "*.kpxe, *.kkpxe, *.pxe, *.efi, *.lkrn, wimboot*"; }

Result<Bytes> read_all(const std::string& path, std::size_t bytes_max) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return fail(Errc::not_found, "{}: {}", printable(path), std::strerror(errno));
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

/// Symbolic links (Debian's own among them) are followed: a loader is what its name gives.
Result<LoaderFiles> from_folder(const std::string& folder) {
  const ImportWatcher nobody;
  Meter meter(nobody);
  auto listing = DirectorySource(folder).list(meter);
  if (!listing) return listing.error();
  std::set<std::string> paths;
  for (const SourceFile& file : listing->files) paths.insert(file.path);
  for (const SourceLink& link : listing->links) paths.insert(link.path);
  LoaderFiles files;
  for (const std::string& path : paths) {
    if (!is_loader(path)) continue;
    if (files.size() == kLoadersMax)
      return fail(Errc::exhausted, "{}: more than {} loaders", printable(folder), kLoadersMax);
    auto bytes = read_all(fmt::format("{}/{}", folder, path), kLoaderBytesMax);
    if (!bytes) return bytes.error();
    files[path] = std::move(*bytes);
  }
  return files;
}

/// What a package's tar holds, by path in the file system.
struct PackageFiles {
  LoaderFiles files;
  std::map<std::string, std::string> links;
};

Result<void> take_entry(PulledArchive& archive, ::archive_entry* entry, PackageFiles& package) {
  std::string_view path = ::archive_entry_pathname(entry);
  while (path.starts_with("./")) path.remove_prefix(2);
  if (!is_tree_path(path) || !is_loader(path)) return {};
  if (package.files.size() + package.links.size() == kLoadersMax)
    return fail(Errc::exhausted, "more than {} loaders", kLoadersMax);
  if (const char* target = ::archive_entry_symlink(entry); target != nullptr)
    package.links[std::string(path)] = target;
  if (::archive_entry_filetype(entry) != AE_IFREG) return {};
  Bytes& bytes = package.files[std::string(path)];
  auto ok = archive.read(kLoaderBytesMax, [&bytes](ByteView part) -> Result<void> {
    bytes.insert(bytes.end(), part.begin(), part.end());
    return {};
  });
  return ok ? ok : Result<void>(prefix(printable(path), ok.error()));
}

/// The tar inside a .deb: `./usr/lib/ipxe/undionly.kpxe` and so on. Debian links ipxe.efi and
/// ipxe.lkrn to /boot, which is in the same package.
Result<LoaderFiles> from_data_tar(const Bytes& tar) {
  PulledArchive archive(pull_from(tar));
  support_filters(archive.get());
  ::archive_read_support_format_tar(archive.get());
  if (auto ok = archive.open(); !ok) return ok.error();
  PackageFiles package;
  for (::archive_entry* entry = nullptr;;) {
    auto more = archive.next(entry);
    if (!more) return more.error();
    if (!*more) break;
    if (auto ok = take_entry(archive, entry, package); !ok) return ok.error();
  }
  LoaderFiles files;
  for (const auto& [path, target] : package.links) {
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    auto real = target.starts_with('/') ? join_tree_path("", target.substr(1))
                                        : join_tree_path(folder, target);
    const auto file = real ? package.files.find(*real) : package.files.end();
    if (path.starts_with(kPackageFolder) && file != package.files.end())
      files[path.substr(kPackageFolder.size())] = file->second;
  }
  for (auto& [path, bytes] : package.files)
    if (path.starts_with(kPackageFolder))
      files[path.substr(kPackageFolder.size())] = std::move(bytes);
  return files;
}

Result<LoaderFiles> from_package(const std::string& path) {
  auto package = read_all(path, kPackageBytesMax);
  if (!package) return package.error();
  PulledArchive archive(pull_from(*package));
  ::archive_read_support_format_ar(archive.get());
  if (auto ok = archive.open(); !ok)
    return fail(Errc::invalid, "{}: neither a folder nor a Debian package", printable(path));
  for (::archive_entry* entry = nullptr;;) {
    auto more = archive.next(entry);
    if (!more)
      return fail(Errc::invalid, "{}: not a Debian package: {}", printable(path),
                  more.error().what);
    if (!*more) break;
    const std::string_view name = ::archive_entry_pathname(entry);
    if (!name.starts_with("data.tar")) continue;
    Bytes tar;
    auto ok = archive.read(kPackageBytesMax, [&tar](ByteView part) -> Result<void> {
      tar.insert(tar.end(), part.begin(), part.end());
      return {};
    });
    if (!ok) return prefix(printable(path), ok.error());
    auto files = from_data_tar(tar);
    if (!files) return prefix(printable(path), files.error());
    return files;
  }
  return fail(Errc::invalid, "{}: no data.tar in it: not a Debian package", printable(path));
}

/// Debian 12's build carries its version in clear in every uncompressed loader.
bool is_of_2019(const Bytes& bytes) {
  return as_text(bytes).find("+git-2019") != std::string_view::npos;
}

std::vector<std::string> warnings_for(const LoaderFiles& files) {
  const bool old = std::any_of(files.begin(), files.end(),
                               [](const auto& each) { return is_of_2019(each.second); });
  std::vector<std::string> warnings;
  if (!old) return warnings;
  warnings.emplace_back(
      "this is iPXE of 2019 (Debian 12's build): each start waits about 16 s for an IPv6 router on "
      "networks without one");
  if (files.contains("ipxe.efi"))
    warnings.emplace_back(
        "ipxe.efi of 2019 hangs when it exits to the firmware (local boot); snponly.efi does not, "
        "so UEFI machines are better given snponly.efi, or a newer iPXE");
  return warnings;
}

Result<Digest> keep(const LoaderFiles& files, ContentStore& store) {
  const ImportWatcher nobody;
  Meter meter(nobody);
  Intake intake(store, meter, Intake::Mode::keep);
  for (const auto& [path, bytes] : files) {
    SourceFile file{.path = path};
    file.size_bytes = bytes.size();
    if (auto ok = intake.begin(file); !ok) return ok.error();
    if (auto ok = intake.write(bytes); !ok) return ok.error();
    if (auto ok = intake.end(); !ok) return ok.error();
  }
  auto entries = intake.finish();
  if (!entries) return entries.error();
  Manifest manifest;
  manifest.files = std::move(*entries);  // a map's order is the manifest's
  return put_manifest(store, manifest);
}

}  // namespace

Result<LoaderImport> import_loaders(const std::string& source, ContentStore& store) {
  const std::string from = source.empty() ? std::string(kDefaultFolder) : source;
  struct stat status {};
  if (::stat(from.c_str(), &status) != 0)
    return fail(Errc::not_found,
                "boot loaders: {}: no such folder or .deb on the controller (Debian's package "
                "'ipxe' puts them into {})",
                printable(from), kDefaultFolder);
  auto files = S_ISDIR(status.st_mode) ? from_folder(from) : from_package(from);
  if (!files) return prefix("boot loaders", files.error());
  if (files->empty())
    return fail(Errc::not_found, "boot loaders: {}: none in it; looked for {}", printable(from),
                kept_names());
  auto manifest = keep(*files, store);
  if (!manifest) return prefix("boot loaders", manifest.error());
  LoaderImport result;
  result.manifest = *manifest;
  for (const auto& [path, bytes] : *files) result.files.push_back(path);
  result.warnings = warnings_for(*files);
  log::info("import.loaders_done", log::kv("source", from), log::kv("files", files->size()),
            log::kv("manifest", manifest->short_hex()));
  return result;
}

}  // namespace farboot
