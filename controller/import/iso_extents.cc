#include "controller/import/iso_extents.h"

#include <algorithm>
#include <array>
#include <set>

#include "common/base/bytes.h"
#include "common/content/manifest.h"

namespace farboot {
namespace {

constexpr std::size_t kDescriptorsMax = 64;
constexpr std::size_t kDirectoriesMax = 200'000;
constexpr std::uint64_t kDirectoryBytesMax = 16u << 20;
constexpr std::uint64_t kDirectoriesBytesMax = 512u << 20;
constexpr std::size_t kRecordBytesMin = 34;

// Directory record, ECMA-119 §9.1.
constexpr std::size_t kExtentAt = 2;
constexpr std::size_t kSizeAt = 10;
constexpr std::size_t kFlagsAt = 25;
constexpr std::size_t kNameBytesAt = 32;
constexpr std::size_t kNameAt = 33;
constexpr unsigned kIsDirectory = 0x02;
constexpr unsigned kGoesOn = 0x80;

std::uint64_t little_endian(ByteView bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::uint64_t{bytes[at + i]} << (8 * i);
  return value;
}

/// One directory's or file's place, as its record says.
IsoExtent place_of(ByteView record) {
  return {little_endian(record, kExtentAt) * kIsoSectorBytes, little_endian(record, kSizeAt)};
}

class Walk {
 public:
  Walk(const ReadAt& read, std::uint64_t size_bytes) : read_(read), size_bytes_(size_bytes) {}

  Result<std::vector<IsoExtent>> run() {
    if (auto ok = find_root(); !ok) return ok.error();
    while (!waiting_.empty() && files_.size() < kManifestFilesMax) {
      const IsoExtent folder = waiting_.back();
      waiting_.pop_back();
      if (auto ok = read_folder(folder); !ok) return ok.error();
    }
    return sorted();
  }

 private:
  Result<void> find_root() {
    std::array<std::uint8_t, kIsoSectorBytes> sector{};
    for (std::size_t i = 0; i < kDescriptorsMax; ++i) {
      auto got = read_((16 + i) * kIsoSectorBytes, sector);
      if (!got) return got.error();
      const ByteView bytes(sector);
      if (*got != sector.size() || as_text(bytes.subspan(1, 5)) != "CD001") return {};
      if (bytes[0] == 1) {
        add_folder(place_of(bytes.subspan(156)));
        return {};
      }
    }
    return {};
  }

  bool is_inside(const IsoExtent& place) const {
    return place.offset_bytes <= size_bytes_ &&
           place.size_bytes <= size_bytes_ - place.offset_bytes;
  }

  void add_folder(const IsoExtent& folder) {
    if (!is_inside(folder) || folder.size_bytes > kDirectoryBytesMax) return;
    if (seen_.size() == kDirectoriesMax || !seen_.insert(folder.offset_bytes).second) return;
    folder_bytes_ += folder.size_bytes;
    if (folder_bytes_ <= kDirectoriesBytesMax) waiting_.push_back(folder);
  }

  Result<void> read_folder(const IsoExtent& folder) {
    Bytes bytes(folder.size_bytes);
    auto got = read_(folder.offset_bytes, bytes);
    if (!got) return got.error();
    const ByteView records = ByteView(bytes).first(*got);
    bool goes_on = false;
    for (std::size_t at = 0; at + kRecordBytesMin <= records.size();) {
      const std::size_t length = records[at];
      if (length == 0) {  // records do not cross sectors
        at = (at / kIsoSectorBytes + 1) * kIsoSectorBytes;
        continue;
      }
      if (length < kRecordBytesMin || at + length > records.size()) return {};
      goes_on = take(records.subspan(at, length), goes_on);
      at += length;
    }
    return {};
  }

  /// True if the file goes on in the next record.
  bool take(ByteView record, bool continues) {
    const IsoExtent place = place_of(record);
    const unsigned flags = record[kFlagsAt];
    if ((flags & kIsDirectory) != 0) {
      const bool is_dot = record[kNameBytesAt] == 1 && record[kNameAt] <= 1;
      if (!is_dot) add_folder(place);
      return false;
    }
    if (!is_inside(place) || place.size_bytes == 0) return false;
    const bool behind = continues && !files_.empty() &&
                        files_.back().offset_bytes + files_.back().size_bytes == place.offset_bytes;
    if (behind)
      files_.back().size_bytes += place.size_bytes;
    else if (files_.size() < kManifestFilesMax)
      files_.push_back(place);
    return (flags & kGoesOn) != 0;
  }

  std::vector<IsoExtent> sorted() {
    std::sort(files_.begin(), files_.end(), [](const IsoExtent& a, const IsoExtent& b) {
      return a.offset_bytes != b.offset_bytes ? a.offset_bytes < b.offset_bytes
                                              : a.size_bytes > b.size_bytes;
    });
    std::vector<IsoExtent> out;
    std::uint64_t end = 0;
    for (const IsoExtent& file : files_) {
      if (file.offset_bytes < end) continue;  // a second name of the same bytes
      out.push_back(file);
      end = file.offset_bytes + file.size_bytes;
    }
    return out;
  }

  const ReadAt& read_;
  const std::uint64_t size_bytes_;
  std::vector<IsoExtent> waiting_;
  std::set<std::uint64_t> seen_;
  std::uint64_t folder_bytes_ = 0;
  std::vector<IsoExtent> files_;
};

}  // namespace

Result<std::vector<IsoExtent>> iso_extents(const ReadAt& read, std::uint64_t size_bytes) {
  return Walk(read, size_bytes).run();
}

}  // namespace farboot
