#include "controller/import/tree_check.h"

#include <algorithm>
#include <array>

#include "controller/import/links.h"
#include "controller/import/repodata.h"
#include "controller/import/stored_file.h"
#include "controller/import/tree_info.h"

namespace farboot {
namespace {

constexpr std::size_t kSumFileBytesMax = 64u << 20;

struct SumFile {
  std::string_view name;
  std::string_view algorithm;
};
constexpr std::array<SumFile, 4> kSumFiles = {{{"md5sum.txt", "md5"},
                                               {"md5sums.txt", "md5"},
                                               {"sha256sum.txt", "sha256"},
                                               {"SHA256SUMS", "sha256"}}};
/// Written after md5sum.txt when the ISO is made: the boot catalogue, and the loader that gets its
/// boot info table patched in.
constexpr std::array<std::string_view, 2> kPatched = {"isolinux/isolinux.bin", "isolinux/boot.cat"};

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

class TreeCheck {
 public:
  TreeCheck(const Manifest& manifest, const ContentStore& store, Meter& meter)
      : manifest_(manifest), store_(store), meter_(meter) {}

  Result<std::size_t> run() {
    for (const FileEntry& file : manifest_.files) {
      Result<void> ok;
      const std::string_view name = name_of(file.path);
      if (name == ".treeinfo" || name == "treeinfo")
        ok = tree_info(file);
      else if (name == "repomd.xml" && name_of(folder_of(file.path)) == "repodata")
        ok = repository(file);
      else if (const auto* sums =
                   std::find_if(kSumFiles.begin(), kSumFiles.end(),
                                [&file](const SumFile& each) { return each.name == file.path; });
               sums != kSumFiles.end())
        ok = sum_file(file, *sums);
      if (!ok) return ok.error();
    }
    return checked_;
  }

 private:
  struct Promise {
    std::string path;
    std::optional<Checksum> checksum;
    std::optional<std::uint64_t> size_bytes;
    std::string_view by;  ///< the metadata file that promises
  };

  /// Errors: mismatch, also if the file is not in the tree.
  Result<void> keep(const Promise& promise) {
    const FileEntry* file = manifest_.find(promise.path);
    if (file == nullptr)
      return fail(Errc::mismatch, "{} names {}, which is not in the tree: the tree is incomplete",
                  promise.by, printable(promise.path));
    if (auto ok = meter_.file(file->path); !ok) return ok.error();
    if (promise.size_bytes && *promise.size_bytes != file->size_bytes)
      return fail(Errc::mismatch, "{}: has {} bytes, {} promises {}", printable(file->path),
                  file->size_bytes, promise.by, *promise.size_bytes);
    if (promise.checksum)
      if (auto ok = compare(*file, *promise.checksum, promise.by); !ok) return ok.error();
    ++checked_;
    return meter_.file_done();
  }

  Result<void> compare(const FileEntry& file, const Checksum& wanted, std::string_view by) {
    std::string is = file.sha256.hex();
    if (wanted.algorithm != "sha256") {
      AnyHasher hasher(wanted.algorithm);
      const PullBytes pull = pull_from(store_, file);
      while (true) {
        auto bytes = pull();
        if (!bytes) return bytes.error();
        if (bytes->empty()) break;
        hasher.update(*bytes);
        if (auto ok = meter_.advance(bytes->size()); !ok) return ok.error();
      }
      is = hasher.finish_hex();
    }
    if (is == wanted.hex) return {};
    return fail(Errc::mismatch, "{}: {} is {}, {} promises {}: the tree is damaged or mixed",
                printable(file.path), wanted.algorithm, is, by, wanted.hex);
  }

  /// Files of the compose that are not on this medium (images/boot.iso on a DVD) are named here
  /// too, so a lacking file is no fault; what booting needs was looked for by understand().
  Result<void> tree_info(const FileEntry& file) {
    auto text = read_stored(store_, file, kMetadataTextBytesMax);
    if (!text) return text.error();
    auto info = parse_tree_info(as_text(*text));
    if (!info) return prefix(printable(file.path), info.error());
    for (const auto& [written, checksum] : info->checksums) {
      auto path = join_tree_path(folder_of(file.path), written);
      if (!path || manifest_.find(*path) == nullptr) continue;
      if (auto ok = keep({*path, checksum, {}, file.path}); !ok) return ok.error();
    }
    return {};
  }

  Result<void> repository(const FileEntry& repomd) {
    const std::string root = folder_of(folder_of(repomd.path));
    auto xml = read_stored(store_, repomd, kRepomdBytesMax);
    if (!xml) return xml.error();
    auto metadata = parse_repomd(*xml);
    if (!metadata) return prefix(printable(repomd.path), metadata.error());
    for (const RepoFile& each : *metadata) {
      if (auto ok = repo_file(root, each, repomd.path); !ok) return ok.error();
      if (each.type != "primary") continue;
      if (auto ok = packages(root, each); !ok) return ok.error();
    }
    return {};
  }

  Result<void> repo_file(const std::string& root, const RepoFile& named, std::string_view by) {
    auto path = join_tree_path(root, named.href);
    // With a base of its own (another disc of a set) a file may lie outside; if it is here, it
    // counts.
    const bool elsewhere = !named.base.empty() && (!path || manifest_.find(*path) == nullptr);
    if (elsewhere) return {};
    if (!path) return prefix(by, path.error());
    return keep({*path, named.checksum, named.size_bytes, by});
  }

  Result<void> packages(const std::string& root, const RepoFile& primary) {
    auto path = join_tree_path(root, primary.href);
    const FileEntry* file = path ? manifest_.find(*path) : nullptr;
    if (file == nullptr) return {};  // on another disc of the set
    PrimaryParser parser(
        [&](const RepoFile& package) { return repo_file(root, package, file->path); });
    auto ok = inflate(pull_from(store_, *file), kPrimaryXmlBytesMax,
                      [&parser](ByteView xml) { return parser.push(xml); });
    if (ok) ok = parser.finish();
    // What keep() found is about another file; only faults of this one get its name in front.
    if (!ok && ok.error().code == Errc::invalid && !ok.error().what.starts_with(file->path))
      return prefix(printable(file->path), ok.error());
    return ok;
  }

  /// `<digest>  ./path`, as md5sum and sha256sum write it; `*` for binary.
  Result<void> sum_file(const FileEntry& file, const SumFile& sums) {
    auto text = read_stored(store_, file, kSumFileBytesMax);
    if (!text) return text.error();
    std::string_view rest = as_text(*text);
    while (!rest.empty()) {
      std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (line.ends_with('\r')) line.remove_suffix(1);
      const std::size_t blank = line.find(' ');
      if (line.empty() || line.front() == '#' || blank == std::string_view::npos) continue;
      auto checksum = Checksum::make(sums.algorithm, line.substr(0, blank));
      if (!checksum) return prefix(file.path, checksum.error());
      const std::size_t name = line.find_first_not_of(" *", blank);
      auto path = join_tree_path("", name == std::string_view::npos ? "" : line.substr(name));
      if (!path) return prefix(file.path, path.error());
      if (std::find(kPatched.begin(), kPatched.end(), *path) != kPatched.end()) continue;
      if (auto ok = keep({*path, std::move(*checksum), {}, file.path}); !ok) return ok.error();
    }
    return {};
  }

  const Manifest& manifest_;
  const ContentStore& store_;
  Meter& meter_;
  std::size_t checked_ = 0;
};

}  // namespace

Result<std::size_t> check_tree(const Manifest& manifest, const ContentStore& store, Meter& meter) {
  return TreeCheck(manifest, store, meter).run();
}

}  // namespace farboot
