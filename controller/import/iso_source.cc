#include "controller/import/iso_source.h"

#include <array>
#include <map>
#include <utility>

#include "common/base/check.h"
#include "common/content/manifest.h"
#include "controller/import/archive.h"
#include "controller/import/intake.h"
#include "controller/import/whole_iso.h"

namespace farboot {
namespace {

constexpr std::size_t kIsoReadBytes = 1u << 20;

/// The image's file as libarchive reads it: forward mostly, skipping and stepping back at will.
class IsoReader {
 public:
  IsoReader(int fd, std::uint64_t size_bytes) : fd_(fd), size_bytes_(size_bytes) {
    FARBOOT_CHECK(reader_ != nullptr);
  }

  Result<void> open() {
    ::archive* reader = reader_.get();
    ::archive_read_support_format_iso9660(reader);
    ::archive_read_set_read_callback(reader, on_read);
    ::archive_read_set_skip_callback(reader, on_skip);
    ::archive_read_set_seek_callback(reader, on_seek);
    ::archive_read_set_callback_data(reader, this);
    if (::archive_read_open1(reader) != ARCHIVE_OK) return problem();
    return {};
  }

  /// False at the end.
  Result<bool> next(::archive_entry*& entry) {
    const int status = ::archive_read_next_header(reader_.get(), &entry);
    if (status == ARCHIVE_EOF) return false;
    if (status != ARCHIVE_OK) return problem();
    return true;
  }

  Result<void> read(const PushBytes& push) {
    while (true) {
      const void* block = nullptr;
      std::size_t size = 0;
      ::la_int64_t offset = 0;
      const int status = ::archive_read_data_block(reader_.get(), &block, &size, &offset);
      if (status == ARCHIVE_EOF) return {};
      if (status != ARCHIVE_OK) return problem();
      auto ok = push({static_cast<const std::uint8_t*>(block), size});
      if (!ok) return ok.error();
    }
  }

 private:
  Error problem() const {
    return fail(Errc::mismatch, "damaged or not an ISO 9660 image: {}",
                archive_problem(reader_.get()));
  }

  static ::la_ssize_t on_read(::archive* reader, void* self, const void** buffer) {
    auto* iso = static_cast<IsoReader*>(self);
    auto got = read_at(iso->fd_, iso->offset_, iso->buffer_);
    if (!got) {
      ::archive_set_error(reader, EIO, "%s", got.error().what.c_str());
      return -1;
    }
    iso->offset_ += *got;
    *buffer = iso->buffer_.data();
    return static_cast<::la_ssize_t>(*got);
  }
  static ::la_int64_t on_skip(::archive*, void* self, ::la_int64_t request) {
    auto* iso = static_cast<IsoReader*>(self);
    const std::uint64_t left = iso->size_bytes_ - std::min(iso->size_bytes_, iso->offset_);
    const std::uint64_t skip = std::min(left, static_cast<std::uint64_t>(request));
    iso->offset_ += skip;
    return static_cast<::la_int64_t>(skip);
  }
  static ::la_int64_t on_seek(::archive*, void* self, ::la_int64_t offset, int whence) {
    auto* iso = static_cast<IsoReader*>(self);
    const auto size = static_cast<::la_int64_t>(iso->size_bytes_);
    const ::la_int64_t from = whence == SEEK_SET   ? 0
                              : whence == SEEK_END ? size
                                                   : static_cast<::la_int64_t>(iso->offset_);
    if (from + offset < 0 || from + offset > size) return ARCHIVE_FATAL;
    iso->offset_ = static_cast<std::uint64_t>(from + offset);
    return static_cast<::la_int64_t>(iso->offset_);
  }

  int fd_;
  std::uint64_t size_bytes_;
  std::uint64_t offset_ = 0;
  Bytes buffer_ = Bytes(kIsoReadBytes);
  ArchiveReader reader_{::archive_read_new()};  // last: closes before the buffer goes
};

Result<std::string> entry_path(::archive_entry* entry) {
  const char* name = ::archive_entry_pathname(entry);
  if (name == nullptr) name = ::archive_entry_pathname_utf8(entry);
  std::string path = name == nullptr ? "" : name;
  if (!is_tree_path(path))
    return fail(Errc::invalid, "path '{}': not one a tree may hold", printable(path));
  return path;
}

/// Adds one directory record to the listing.
Result<void> list_entry(::archive_entry* entry, Listing& listing) {
  auto path = entry_path(entry);
  if (!path) return path.error();
  if (const char* hard = ::archive_entry_hardlink(entry); hard != nullptr) {
    listing.links.push_back({*path, hard, SourceLink::Kind::hard});
    return {};
  }
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG: {
      SourceFile file{.path = *path, .mode = tree_mode(::archive_entry_perm(entry))};
      file.size_bytes = static_cast<std::uint64_t>(::archive_entry_size(entry));
      listing.files.push_back(std::move(file));
      return {};
    }
    case AE_IFLNK: {
      const char* target = ::archive_entry_symlink(entry);
      listing.links.push_back({*path, target == nullptr ? "" : target});
      return {};
    }
    default:
      return fail(Errc::invalid, "{}: neither a file, a directory nor a link", printable(*path));
  }
}

/// An image is cut short if its own volume descriptor counts more sectors than the file has.
Result<void> check_volume(int fd, std::uint64_t size_bytes) {
  std::array<std::uint8_t, kIsoSectorBytes> sector{};
  auto got = read_at(fd, 16 * kIsoSectorBytes, sector);
  if (!got) return got.error();
  if (*got != sector.size() || as_text(ByteView(sector).subspan(1, 5)) != "CD001")
    return fail(Errc::mismatch, "not an ISO 9660 image");
  if (sector[0] != 1) return {};  // no primary descriptor in front: libarchive will look for it
  std::uint64_t sectors = 0;
  for (std::size_t i = 0; i < 4; ++i) sectors |= std::uint64_t{sector[80 + i]} << (8 * i);
  if (sectors * kIsoSectorBytes > size_bytes)
    return fail(Errc::mismatch, "truncated: the image says it has {} bytes, the file has {}",
                sectors * kIsoSectorBytes, size_bytes);
  return {};
}

}  // namespace

Result<std::unique_ptr<IsoSource>> IsoSource::open(const std::string& path,
                                                   std::optional<Digest> sha256) {
  auto file = ImageFile::open(path);
  if (!file) return file.error();
  if (auto ok = check_volume(file->fd.get(), file->size_bytes); !ok)
    return prefix(printable(path), ok.error());
  return std::unique_ptr<IsoSource>(new IsoSource(std::move(*file), sha256));
}

Result<Listing> IsoSource::list(Meter& meter) {
  Listing listing;
  IsoReader reader(file_.fd.get(), file_.size_bytes);
  if (auto ok = reader.open(); !ok) return prefix(printable(file_.path), ok.error());
  for (::archive_entry* entry = nullptr;;) {
    auto more = reader.next(entry);
    if (!more) return prefix(printable(file_.path), more.error());
    if (!*more) return listing;
    if (::archive_entry_filetype(entry) == AE_IFDIR) continue;
    const std::size_t files_before = listing.files.size();
    if (auto ok = list_entry(entry, listing); !ok) return prefix(printable(file_.path), ok.error());
    if (listing.files.size() + listing.links.size() > kManifestFilesMax)
      return fail(Errc::exhausted, "{}: more than {} files", printable(file_.path),
                  kManifestFilesMax);
    if (auto ok = meter.tick(); !ok) return ok.error();
    if (listing.files.size() == files_before) continue;  // a link
    const SourceFile& file = listing.files.back();
    if (!is_metadata_text(file.path) || file.size_bytes > kMetadataTextBytesMax) continue;
    std::string text;
    auto ok = reader.read([&text](ByteView part) -> Result<void> {
      text += as_text(part);
      return {};
    });
    if (!ok) return prefix(printable(file_.path), ok.error());
    listing.texts[file.path] = std::move(text);
  }
}

Result<void> IsoSource::read(const Listing& listing, Intake& intake) {
  std::optional<FileHasher> hasher;
  if (sha256_) hasher.emplace(file_.fd.get());
  if (auto ok = read_entries(listing, intake); !ok)
    return prefix(printable(file_.path), ok.error());
  return hasher ? hasher->finish(file_.path, *sha256_) : Result<void>();
}

Result<FileEntry> IsoSource::as_file(const std::string& path, const std::vector<FileEntry>& files,
                                     ContentStore& store, Meter& meter) {
  const ReadAt read = [this](std::uint64_t offset, std::span<std::uint8_t> out) {
    return read_at(file_.fd.get(), offset, out);
  };
  auto entry = keep_whole_iso({read, file_.size_bytes, path}, files, store, meter);
  return entry ? std::move(entry) : Result<FileEntry>(prefix(printable(file_.path), entry.error()));
}

Result<void> IsoSource::read_entries(const Listing& listing, Intake& intake) {
  std::map<std::string_view, const SourceFile*> wanted;
  for (const SourceFile& file : listing.files) wanted[file.path] = &file;
  IsoReader reader(file_.fd.get(), file_.size_bytes);
  if (auto ok = reader.open(); !ok) return ok.error();
  for (::archive_entry* entry = nullptr;;) {
    auto more = reader.next(entry);
    if (!more) return more.error();
    if (!*more) break;
    if (::archive_entry_filetype(entry) != AE_IFREG || ::archive_entry_hardlink(entry) != nullptr)
      continue;
    auto path = entry_path(entry);
    if (!path) return path.error();
    const auto file = wanted.find(*path);
    if (file == wanted.end()) continue;
    if (auto ok = intake.begin(*file->second); !ok) return ok.error();
    if (auto ok = reader.read([&intake](ByteView part) { return intake.write(part); }); !ok)
      return prefix(printable(*path), ok.error());
    if (auto ok = intake.end(); !ok) return ok.error();
    wanted.erase(file);
  }
  if (!wanted.empty())
    return fail(Errc::mismatch, "{}: listed, but not read again", printable(wanted.begin()->first));
  return {};
}

}  // namespace farboot
