#include "controller/import/loaders.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/log.h"
#include "controller/import/intake.h"
#include "controller/import/loader_layout.h"
#include "controller/import/loader_source.h"
#include "controller/import/stored_file.h"

namespace farboot {
namespace {

constexpr std::size_t kSourcesMax = 50;
constexpr std::size_t kNotedMax = 10;
/// An iPXE has at most 2 MiB; what is longer is not looked into.
constexpr std::size_t kLookedIntoBytesMax = 16u << 20;
constexpr std::size_t kSetFilesMax = 5000;

struct SetFile {
  FileEntry entry;
  std::string source;
};
/// By path: a manifest's order.
using LoaderFiles = std::map<std::string, SetFile>;

Result<LoaderFiles> files_of(const LoaderRecord& held, const ContentStore& store) {
  auto manifest = get_manifest(store, held.manifest);
  if (!manifest) return prefix("the boot loaders that are there", manifest.error());
  LoaderFiles files;
  for (FileEntry& entry : manifest->files) {
    const auto known =
        std::find_if(held.files.begin(), held.files.end(),
                     [&](const LoaderFile& file) { return file.path == entry.path; });
    const std::string path = entry.path;
    files[path] = {std::move(entry), known == held.files.end() ? "" : known->source};
  }
  return files;
}

Result<LoaderFiles> keep(const FoundLoaders& found, const std::string& source,
                         ContentStore& store) {
  const ImportWatcher nobody;
  Meter meter(nobody);
  Intake intake(store, meter, Intake::Mode::keep);
  for (const auto& [name, loader] : found.files) {
    SourceFile file{.path = name};
    file.size_bytes = loader.bytes.size();
    if (auto ok = intake.begin(file); !ok) return ok.error();
    if (auto ok = intake.write(loader.bytes); !ok) return ok.error();
    if (auto ok = intake.end(); !ok) return ok.error();
  }
  auto entries = intake.finish();
  if (!entries) return entries.error();
  LoaderFiles files;
  for (FileEntry& entry : *entries) {
    const std::string path = entry.path;
    files[path] = {std::move(entry), source};
  }
  return files;
}

/// A few names in full, the others counted.
std::string shortened(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kNotedMax); ++i)
    out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kNotedMax) out += fmt::format(" and {} more", names.size() - kNotedMax);
  return out;
}

/// `more` over `files`; notes what it takes the place of.
void lay_over(LoaderFiles& files, LoaderFiles more, std::vector<std::string>& notes) {
  for (auto& [path, file] : more) {
    const auto before = files.find(path);
    if (before != files.end() && before->second.entry.sha256 != file.entry.sha256)
      notes.push_back(fmt::format("{} is now that of {}, no longer that of {}", path,
                                  printable(file.source), printable(before->second.source)));
    files[path] = std::move(file);
  }
}

void note_lost(const LoaderFiles& files, const std::optional<LoaderRecord>& held,
               std::vector<std::string>& notes) {
  if (!held) return;
  std::vector<std::string> lost;
  for (const LoaderFile& file : held->files)
    if (!files.contains(file.path))
      lost.push_back(fmt::format("{} (of {})", file.path, printable(file.source)));
  if (!lost.empty())
    notes.push_back(
        fmt::format("no longer there: {}; `farboot loader import SOURCE --add` brings them back "
                    "beside the others",
                    shortened(lost)));
}

Result<std::vector<std::string>> warnings_of(const LoaderFiles& files, const ContentStore& store) {
  std::vector<std::string> warnings;
  for (const auto& [path, file] : files) {
    if (file.entry.size_bytes > kLookedIntoBytesMax) continue;
    const auto bytes = read_stored(store, file.entry, kLookedIntoBytesMax);
    if (!bytes) return bytes.error();
    for (std::string& warning : loader_warnings(path, *bytes))
      if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end())
        warnings.push_back(std::move(warning));
  }
  return warnings;
}

Result<LoaderRecord> record_of(const LoaderFiles& files, ContentStore& store) {
  if (files.size() > kSetFilesMax)
    return fail(Errc::exhausted, "{} files, at most {}", files.size(), kSetFilesMax);
  LoaderRecord record;
  auto warnings = warnings_of(files, store);
  if (!warnings) return warnings.error();
  record.warnings = std::move(*warnings);
  Manifest manifest;
  for (const auto& [path, file] : files) {
    manifest.files.push_back(file.entry);
    record.files.push_back({path, file.source});
  }
  auto digest = put_manifest(store, manifest);
  if (!digest) return digest.error();
  record.manifest = *digest;
  return record;
}

Result<LoaderChange> import_all(const std::vector<std::string>& sources,
                                const LoaderRequest& request,
                                const std::optional<LoaderRecord>& held, ContentStore& store) {
  LoaderChange change;
  LoaderFiles files;
  if (request.add && held) {
    auto before = files_of(*held, store);
    if (!before) return before.error();
    files = std::move(*before);
  }
  for (const std::string& source : sources) {
    auto found = read_loaders(source);
    if (!found) return found.error();
    change.notes.insert(change.notes.end(), found->notes.begin(), found->notes.end());
    auto kept = keep(*found, source, store);
    if (!kept) return kept.error();
    lay_over(files, std::move(*kept), change.notes);
  }
  note_lost(files, held, change.notes);
  auto record = record_of(files, store);
  if (!record) return record.error();
  change.record = std::move(*record);
  change.record.revision = held ? held->revision : 0;
  return change;
}

bool names_it(const std::string& name, const std::string& path) {
  std::string folder = name;
  if (!folder.ends_with('/')) folder += '/';
  return path == name || path.starts_with(folder);
}

}  // namespace

Result<LoaderChange> import_loaders(const LoaderRequest& request,
                                    const std::optional<LoaderRecord>& held, ContentStore& store) {
  std::vector<std::string> sources = request.sources;
  if (sources.empty()) sources.emplace_back(kDefaultLoaders);
  if (sources.size() > kSourcesMax)
    return fail(Errc::invalid, "boot loaders: {} sources, at most {} at once", sources.size(),
                kSourcesMax);
  auto change = import_all(sources, request, held, store);
  if (!change) return prefix("boot loaders", change.error());
  log::info("import.loaders_done", log::kv("source", shortened(sources)),
            log::kv("files", change->record.files.size()),
            log::kv("manifest", change->record.manifest.short_hex()));
  return change;
}

Result<LoaderChange> remove_loaders(const std::vector<std::string>& names, const LoaderRecord& held,
                                    ContentStore& store) {
  auto files = files_of(held, store);
  if (!files) return files.error();
  for (const std::string& name : names) {
    const std::size_t removed =
        std::erase_if(*files, [&name](const auto& file) { return names_it(name, file.first); });
    if (removed == 0 || name.empty())
      return fail(Errc::not_found,
                  "boot loader {}: there is none of that name; `farboot loader show` lists them",
                  printable(name));
  }
  if (files->empty())
    return fail(Errc::conflict,
                "boot loaders: none would be left, and no machine could start: import others "
                "instead, they take the place of these");
  auto record = record_of(*files, store);
  if (!record) return prefix("boot loaders", record.error());
  record->revision = held.revision;
  return LoaderChange{std::move(*record), {}};
}

}  // namespace farboot
