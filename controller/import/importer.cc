#include "controller/import/importer.h"

#include <sys/stat.h>
#include <cerrno>
#include <clocale>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "common/base/log.h"
#include "common/content/spelling.h"
#include "common/content/whole_iso.h"
#include "controller/import/directory_source.h"
#include "controller/import/http_fetch.h"
#include "controller/import/intake.h"
#include "controller/import/iso_source.h"
#include "controller/import/links.h"
#include "controller/import/meter.h"
#include "controller/import/mirror_source.h"
#include "controller/import/tree_check.h"
#include "controller/import/tree_info.h"
#include "controller/import/udf_source.h"

namespace farboot {
namespace {

/// libarchive turns Joliet's UTF-16 names into the thread's locale: UTF-8 while we import.
class Utf8Names {
 public:
  Utf8Names()
      : utf8_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{})),
        before_(utf8_ == locale_t{} ? locale_t{} : ::uselocale(utf8_)) {}
  ~Utf8Names() {
    if (utf8_ == locale_t{}) return;
    ::uselocale(before_);
    ::freelocale(utf8_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t utf8_;
  locale_t before_;
};

bool is_url(const std::string& source) {
  return source.starts_with("http://") || source.starts_with("https://") ||
         source.starts_with("file://");
}

/// What to do about a source that is not whole: said here for all the ways in which one is not.
Error with_way_out(const std::string& source, Error error) {
  if (error.code != Errc::mismatch) return error;
  std::error_code ignored;
  error.what += "; no image was stored: ";
  if (is_url(source))
    error.what += "fetch it again, now or later: the mirror may be in the middle of an update";
  else if (std::filesystem::is_directory(source, ignored))
    error.what += "copy the tree again, all of it from one version, or import the ISO";
  else
    error.what += "copy the ISO again and compare its SHA-256 with the one published for it";
  return error;
}

/// Where the installer's own files are: the directory of the .treeinfo, the root nearly always.
TreeNames names_of(const Listing& listing, const std::set<std::string>& paths,
                   const std::string& root) {
  TreeNames names;
  names.root = root;
  const std::string prefix = root.empty() ? "" : root + "/";
  for (const auto& [path, text] : listing.texts)
    if (path.starts_with(prefix)) names.texts[path.substr(prefix.size())] = text;
  names.has_file = [&paths](std::string_view path) { return paths.contains(std::string(path)); };
  names.in_any_case = [&paths](std::string_view wanted) {
    Spelling spelling(wanted);
    for (const std::string& path : paths) spelling.look(path);
    return spelling.meant();
  };
  return names;
}

/// Whether the ISO 9660 half of an image that is UDF as well has a tree that boots. Windows' discs
/// have a README.TXT there, or names in capitals and no file above 4 GiB.
bool serves_as_iso(TreeSource& iso) {
  const ImportWatcher nobody;
  Meter meter(nobody);
  const auto listing = iso.list(meter);
  if (!listing) return false;
  std::set<std::string> paths;
  for (const SourceFile& file : listing->files) paths.insert(file.path);
  const auto facts = understand(names_of(*listing, paths, iso.root()));
  return facts && facts->family != "windows";
}

Result<std::unique_ptr<TreeSource>> open_image(const ImportRequest& request) {
  std::unique_ptr<TreeSource> source;
  auto udf = is_udf(request.source);
  if (!udf) return udf.error();
  auto iso = IsoSource::open(request.source, request.sha256);
  if (iso && (!*udf || serves_as_iso(**iso))) {
    source = std::move(*iso);
    return source;
  }
  if (!*udf) return iso.error();
  auto volume = UdfSource::open(request.source, request.sha256);
  if (!volume) return volume.error();
  source = std::move(*volume);
  return source;
}

Result<std::unique_ptr<TreeSource>> open_source(const ImportRequest& request) {
  std::unique_ptr<TreeSource> source;
  if (is_url(request.source)) {
    if (request.sha256)
      return fail(Errc::invalid, "--sha256 is of an ISO file; {} is the address of a tree",
                  shown_url(request.source));
    auto mirror = MirrorSource::open(request.source, request.journal);
    if (!mirror) return mirror.error();
    source = std::move(*mirror);
    return source;
  }
  struct stat status {};
  if (::stat(request.source.c_str(), &status) != 0) return not_readable(request.source, errno);
  if (S_ISDIR(status.st_mode)) {
    if (request.sha256)
      return fail(Errc::invalid, "--sha256 is of an ISO file; {} is a directory",
                  printable(request.source));
    source = std::make_unique<DirectorySource>(request.source);
    return source;
  }
  return open_image(request);
}

std::string in_mib(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", bytes / 1048576.0); }

Error does_not_fit(std::uint64_t needed, const StoreUsage& usage) {
  return fail(Errc::exhausted,
              "the tree needs {} ({} bytes), but the store can take only {} ({} bytes) more "
              "(budget {}, {} used): remove images that no release needs, or raise the store's "
              "budget",
              in_mib(needed), needed, in_mib(usage.free_bytes), usage.free_bytes,
              in_mib(usage.budget_bytes), in_mib(usage.disk_bytes));
}

/// Before the first byte. If the whole tree would not fit, but a part of it may be held already
/// (an import that was cut off, the release before), what is lacking is counted by reading it once.
Result<void> check_space(TreeSource& source, const Listing& listing, ContentStore& store,
                         Meter& meter) {
  auto usage = store.usage();
  if (!usage) return usage.error();
  const std::uint64_t size_bytes = listing.size_bytes();
  if (size_bytes <= usage->free_bytes) return {};
  const bool may_be_held = usage->payload_bytes >= size_bytes - usage->free_bytes;
  if (!may_be_held) return does_not_fit(size_bytes, *usage);
  if (!source.is_local()) {
    auto held = source.held_bytes(listing, store);
    if (!held) return held.error();
    const std::uint64_t missing_bytes = size_bytes - std::min(size_bytes, *held);
    return missing_bytes > usage->free_bytes ? does_not_fit(missing_bytes, *usage) : Result<void>();
  }
  if (auto ok = meter.start("measuring", {listing.files.size(), size_bytes}); !ok)
    return ok.error();
  Intake intake(store, meter, Intake::Mode::measure);
  if (auto ok = source.read(listing, intake); !ok) return ok.error();
  if (auto ok = intake.finish(); !ok) return ok.error();
  if (intake.missing_bytes() > usage->free_bytes)
    return does_not_fit(intake.missing_bytes(), *usage);
  return {};
}

Result<Manifest> make_manifest(std::vector<FileEntry> files,
                               const std::map<std::string, std::string>& aliases) {
  Manifest manifest;
  manifest.files = std::move(files);
  const auto by_path = [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; };
  std::sort(manifest.files.begin(), manifest.files.end(), by_path);
  std::vector<FileEntry> second_names;
  for (const auto& [alias, real] : aliases) {
    const FileEntry* file = manifest.find(real);
    if (file == nullptr) return fail(Errc::invalid, "link {}: {} was not read", alias, real);
    second_names.push_back(*file);
    second_names.back().path = alias;
  }
  manifest.files.insert(manifest.files.end(), std::make_move_iterator(second_names.begin()),
                        std::make_move_iterator(second_names.end()));
  std::sort(manifest.files.begin(), manifest.files.end(), by_path);
  return manifest;
}

Result<Manifest> take_in(TreeSource& source, const Listing& listing,
                         const std::map<std::string, std::string>& aliases, ContentStore& store,
                         Meter& meter) {
  if (auto ok = check_space(source, listing, store, meter); !ok) return ok.error();
  if (auto ok = meter.start("reading", {listing.files.size(), listing.size_bytes()}); !ok)
    return ok.error();
  Intake intake(store, meter, Intake::Mode::keep);
  auto read = source.read(listing, intake);
  auto files = intake.finish();  // also what came before a failure: a repeated import has it then
  if (!read) return read.error();
  if (!files) return files.error();
  return make_manifest(std::move(*files), aliases);
}

/// The name of the ISO in a tree that needs it: not the file's own, so that a copy of it under
/// another name is the same tree.
constexpr const char* kIsoInTree = "ubuntu.iso";

Result<void> add_iso(TreeSource& source, Manifest& manifest, ContentStore& store, Meter& meter) {
  auto iso = source.as_file(kIsoInTree, manifest.files, store, meter);
  if (!iso) return iso.error();
  const auto place =
      std::lower_bound(manifest.files.begin(), manifest.files.end(), *iso,
                       [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
  if (place != manifest.files.end() && place->path == kIsoInTree)
    return fail(Errc::invalid, "the tree has a file {} of its own", kIsoInTree);
  manifest.files.insert(place, std::move(*iso));
  return {};
}

Result<Image> import_tree(const ImportRequest& request, TreeSource& source, ContentStore& store,
                          Meter& meter) {
  if (auto ok = meter.start("listing", {}); !ok) return ok.error();
  auto listing = source.list(meter);
  if (!listing) return listing.error();
  auto aliases = resolve_links(*listing, [&meter] { return meter.tick(); });
  if (!aliases) return aliases.error();
  std::set<std::string> paths;
  for (const SourceFile& file : listing->files) paths.insert(file.path);
  for (const auto& [alias, real] : *aliases) paths.insert(alias);

  const TreeNames names = names_of(*listing, paths, source.root());
  auto facts = understand(names);
  if (!facts) return facts.error();
  if (boots_from_its_iso(*facts) && !source.is_one_file())
    return fail(Errc::invalid,
                "{} starts from the ISO it came on, which a directory or a mirror does not have: "
                "import the ISO itself",
                facts->distro.empty() ? "this installer" : facts->distro);
  Image image{.name = request.name, .tag = request.tag, .facts = std::move(*facts)};
  if (image.tag.empty()) image.tag = default_tag(image.facts, names);
  if (image.tag.empty())
    return fail(Errc::invalid, "the tree does not say its version: name a tag (--tag)");

  auto manifest = take_in(source, *listing, *aliases, store, meter);
  if (!manifest) return manifest.error();
  if (auto ok = meter.start("checking", {}); !ok) return ok.error();
  auto checked = check_tree(*manifest, store, meter);
  if (!checked && checked.error().code == Errc::invalid)  // metadata that is cut short, say
    return Error{Errc::mismatch, checked.error().what};
  if (!checked) return checked.error();
  image.size_bytes = manifest->size_bytes();
  if (boots_from_its_iso(image.facts)) {  // its bytes are those of the files: not counted twice
    if (auto ok = add_iso(source, *manifest, store, meter); !ok) return ok.error();
    image.facts.stage2 = kIsoInTree;
  }
  auto digest = put_manifest(store, *manifest);
  if (!digest) return digest.error();
  image.manifest = *digest;
  log::info("import.done", log::kv("image", image.name + "@" + image.tag),
            log::kv("source", shown_url(request.source)), log::kv("files", manifest->files.size()),
            log::kv("bytes", image.size_bytes), log::kv("checksums", *checked),
            log::kv("manifest", image.manifest.short_hex()));
  return image;
}

}  // namespace

Result<Image> import_image(const ImportRequest& request, ContentStore& store,
                           const ImportWatcher& watcher) {
  if (!is_name(request.name))
    return fail(Errc::invalid, "image name '{}': must be a-z, 0-9, '.', '_' or '-'",
                printable(request.name));
  if (!request.tag.empty() && !is_name(request.tag))
    return fail(Errc::invalid, "tag '{}': must be a-z, 0-9, '.', '_' or '-'",
                printable(request.tag));
  const Utf8Names utf8;
  Meter meter(watcher);
  auto source = open_source(request);
  if (!source) return with_way_out(request.source, prefix("import", source.error()));
  auto image = import_tree(request, **source, store, meter);
  if (!image) {
    if (image.error().code == Errc::cancelled) return image.error();
    return with_way_out(request.source,
                        prefix(fmt::format("import {}", shown_url(request.source)), image.error()));
  }
  return image;
}

}  // namespace farboot
