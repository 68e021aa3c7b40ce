#include "controller/import/udf_source.h"

#include <set>
#include <string_view>

#include "controller/import/intake.h"

namespace farboot {

Result<bool> is_udf(const std::string& path) {
  auto file = ImageFile::open(path);
  if (!file) return file.error();
  auto udf =
      announces_udf([fd = file->fd.get()](std::uint64_t offset, std::span<std::uint8_t> out) {
        return read_at(fd, offset, out);
      });
  return udf ? udf : Result<bool>(prefix(printable(path), udf.error()));
}

Result<std::unique_ptr<UdfSource>> UdfSource::open(const std::string& path,
                                                   std::optional<Digest> sha256) {
  auto file = ImageFile::open(path);
  if (!file) return file.error();
  return std::unique_ptr<UdfSource>(new UdfSource(std::move(*file), sha256));
}

UdfSource::UdfSource(ImageFile file, std::optional<Digest> sha256)
    : file_(std::move(file)),
      sha256_(sha256),
      read_([fd = file_.fd.get()](std::uint64_t offset, std::span<std::uint8_t> out) {
        return read_at(fd, offset, out);
      }) {}

Result<Listing> UdfSource::list(Meter& meter) {
  auto volume = UdfVolume::open(read_, file_.size_bytes);
  if (!volume) return prefix(printable(file_.path), volume.error());
  auto files = (*volume)->files([&meter] { return meter.tick(); });
  if (!files && files.error().code == Errc::cancelled) return files.error();
  if (!files) return prefix(printable(file_.path), files.error());
  files_ = std::move(*files);
  Listing listing;
  for (const UdfFile& file : files_) {
    SourceFile listed{.path = file.path};
    listed.size_bytes = file.size_bytes;
    listing.files.push_back(std::move(listed));
    if (!is_metadata_text(file.path) || file.size_bytes > kMetadataTextBytesMax) continue;
    auto ok = (*volume)->read(file, [&](ByteView part) -> Result<void> {
      listing.texts[file.path] += as_text(part);
      return {};
    });
    if (!ok) return prefix(printable(file_.path), ok.error());
  }
  return listing;
}

Result<void> UdfSource::read(const Listing& listing, Intake& intake) {
  std::optional<FileHasher> hasher;
  if (sha256_) hasher.emplace(file_.fd.get());
  if (auto ok = read_files(listing, intake); !ok) return prefix(printable(file_.path), ok.error());
  return hasher ? hasher->finish(file_.path, *sha256_) : Result<void>();
}

Result<void> UdfSource::read_files(const Listing& listing, Intake& intake) {
  auto volume = UdfVolume::open(read_, file_.size_bytes);
  if (!volume) return volume.error();
  std::set<std::string_view> wanted;
  for (const SourceFile& file : listing.files) wanted.insert(file.path);
  for (const UdfFile& file : files_) {
    if (!wanted.contains(file.path)) continue;
    SourceFile begun{.path = file.path};
    begun.size_bytes = file.size_bytes;
    if (auto ok = intake.begin(begun); !ok) return ok.error();
    if (auto ok = (*volume)->read(file, [&intake](ByteView part) { return intake.write(part); });
        !ok)
      return ok.error();
    if (auto ok = intake.end(); !ok) return ok.error();
  }
  return {};
}

}  // namespace farboot
