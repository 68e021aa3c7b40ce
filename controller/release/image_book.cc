#include "controller/release/image_book.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "controller/state/json.h"

namespace farboot {
namespace {

constexpr unsigned kFormat = 1;  // on disk: never reuse a number
constexpr std::string_view kPrefix = "image/";
constexpr std::string_view kLoadersKey = "loaders";

std::string key_of(const Image& image) {
  return fmt::format("{}{}@{}", kPrefix, image.name, image.tag);
}

std::string encode(const ImageRecord& record) {
  const Image& image = record.image;
  const ImageFacts& facts = image.facts;
  Json object;
  object["name"] = image.name;
  object["tag"] = image.tag;
  object["manifest"] = image.manifest.hex();
  object["size_bytes"] = image.size_bytes;
  object["family"] = facts.family;
  object["distro"] = facts.distro;
  object["version"] = facts.version;
  object["arch"] = facts.arch;
  object["kernel"] = facts.kernel;
  object["initrd"] = facts.initrd;
  object["stage2"] = facts.stage2;
  object["repo"] = facts.repo;
  object["source"] = record.source;
  object["imported"] = to_json_time(record.imported);
  return write_record(std::move(object), kFormat);
}

Result<ImageRecord> decode(const StateEntry& entry) {
  const auto object = read_record(entry.key, entry.value, kFormat);
  if (!object) return object.error();
  const auto manifest = digest_at(*object, "manifest");
  if (!manifest) return fail(Errc::corrupt, "{}: the stored record has no manifest", entry.key);
  ImageRecord record;
  record.image.name = text_at(*object, "name");
  record.image.tag = text_at(*object, "tag");
  record.image.manifest = *manifest;
  record.image.size_bytes = number_at(*object, "size_bytes");
  ImageFacts& facts = record.image.facts;
  facts.family = text_at(*object, "family");
  facts.distro = text_at(*object, "distro");
  facts.version = text_at(*object, "version");
  facts.arch = text_at(*object, "arch");
  facts.kernel = text_at(*object, "kernel");
  facts.initrd = text_at(*object, "initrd");
  facts.stage2 = text_at(*object, "stage2");
  facts.repo = text_at(*object, "repo");
  record.source = text_at(*object, "source");
  record.imported = time_at(*object, "imported");
  record.revision = entry.revision;
  return record;
}

}  // namespace

Result<ImageRecord> ImageBook::add(const Image& image, const std::string& source,
                                   WallTime imported) {
  if (!is_name(image.name))
    return fail(Errc::invalid, "image {}: not a name ([a-z0-9][a-z0-9._-]*)",
                printable(image.name));
  if (!is_name(image.tag))
    return fail(Errc::invalid, "image {}: tag {}: not a name ([a-z0-9][a-z0-9._-]*)", image.name,
                printable(image.tag));
  ImageRecord record{image, source, imported, 0};
  const auto revision =
      state_.commit(Transaction{}.expect(key_of(image), 0).put(key_of(image), encode(record)));
  if (revision) {
    record.revision = *revision;
    return record;
  }
  if (revision.error().code != Errc::conflict) return revision.error();
  const auto held = find(record.id());
  if (!held) return held.error();
  if (held->image.manifest == image.manifest) return *held;
  return fail(Errc::conflict,
              "image {}: exists with another tree ({}, this one is {}); an image never changes: "
              "import it under another tag",
              record.id(), held->image.manifest.short_hex(), image.manifest.short_hex());
}

Result<std::vector<ImageRecord>> ImageBook::images() const {
  const auto entries = state_.scan(kPrefix);
  if (!entries) return entries.error();
  std::vector<ImageRecord> out;
  for (const StateEntry& entry : *entries) {
    auto record = decode(entry);
    if (!record) return record.error();
    out.push_back(std::move(*record));
  }
  return out;
}

Result<ImageRecord> ImageBook::find(std::string_view name) const {
  const auto all = images();
  if (!all) return all.error();
  std::vector<const ImageRecord*> matches;
  for (const ImageRecord& record : *all) {
    if (record.id() == name) return record;
    if (record.image.name == name) matches.push_back(&record);
  }
  if (matches.size() == 1) return *matches.front();
  if (matches.empty())
    return fail(Errc::not_found,
                "image {}: not imported; `farboot image list` shows those that are",
                printable(name));
  std::string tags;
  for (const ImageRecord* match : matches) tags += (tags.empty() ? "" : ", ") + match->image.tag;
  return fail(Errc::conflict, "image {}: has several tags ({}): say which, as {}@{}", name, tags,
              name, matches.back()->image.tag);
}

Result<void> ImageBook::remove(const ImageRecord& record) {
  const std::string key = key_of(record.image);
  const auto done = state_.commit(Transaction{}.expect(key, record.revision).erase(key));
  if (done) return {};
  if (done.error().code == Errc::conflict)
    return fail(Errc::conflict, "image {}: something began to use it meanwhile; look again",
                record.id());
  return done.error();
}

void ImageBook::touch(Transaction& transaction, const ImageRecord& record) {
  const std::string key = key_of(record.image);
  transaction.expect(key, record.revision).put(key, encode(record));
}

Result<void> ImageBook::set_loaders(const LoaderRecord& loaders) {
  Json object;
  object["manifest"] = loaders.manifest.hex();
  object["files"] = Json::array();
  object["origins"] = Json::array();
  for (const LoaderFile& file : loaders.files) {
    object["files"].push_back(file.path);
    object["origins"].push_back(file.source);
  }
  object["warnings"] = loaders.warnings;
  // A controller of the version before knows one source for all.
  object["source"] = fmt::format("{}", fmt::join(loaders.sources(), ", "));
  object["imported"] = to_json_time(loaders.imported);
  const std::string key(kLoadersKey);
  const auto done = state_.commit(Transaction{}
                                      .expect(key, loaders.revision)
                                      .put(key, write_record(std::move(object), kFormat)));
  if (done) return {};
  if (done.error().code == Errc::conflict)
    return fail(Errc::conflict, "boot loaders: somebody else changed them meanwhile; try again");
  return done.error();
}

Result<std::optional<LoaderRecord>> ImageBook::loaders() const {
  const auto entry = state_.get(kLoadersKey);
  if (!entry) return entry.error();
  if (!*entry) return std::optional<LoaderRecord>();
  const auto object = read_record("loaders", (*entry)->value, kFormat);
  if (!object) return object.error();
  const auto manifest = digest_at(*object, "manifest");
  if (!manifest) return fail(Errc::corrupt, "loaders: the stored record has no manifest");
  LoaderRecord record;
  record.manifest = *manifest;
  const std::vector<std::string> origins = list_at(*object, "origins");
  std::vector<std::string> paths = list_at(*object, "files");
  for (std::string& path : paths) {
    const std::size_t at = record.files.size();
    record.files.push_back(
        {std::move(path), at < origins.size() ? origins[at] : text_at(*object, "source")});
  }
  record.warnings = list_at(*object, "warnings");
  record.imported = time_at(*object, "imported");
  record.revision = (*entry)->revision;
  return std::optional(std::move(record));
}

std::vector<std::string> LoaderRecord::sources() const {
  std::vector<std::string> out;
  for (const LoaderFile& file : files)
    if (std::find(out.begin(), out.end(), file.source) == out.end()) out.push_back(file.source);
  return out;
}

}  // namespace farboot
