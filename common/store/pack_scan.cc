#include "common/store/pack_scan.h"

#include <unistd.h>

#include <array>
#include <unordered_set>

#include "common/store/pack_record.h"

namespace farboot {
namespace {

constexpr std::size_t kScanBatch = 1000;  ///< chunks made durable at once

class FileBytes final : public PackBytes {
 public:
  explicit FileBytes(const PackFile& file) : file_(file), size_(file.size_bytes()) {}
  std::uint64_t size() const override { return size_; }
  bool read(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    return static_cast<bool>(file_.read(offset, out));
  }
  std::uint64_t next_data(std::uint64_t offset) const override {
    const off_t found = ::lseek(file_.fd(), static_cast<off_t>(offset), SEEK_DATA);
    if (found >= 0) return static_cast<std::uint64_t>(found);
    return errno == ENXIO ? size_ : offset;  // nothing but a hole up to the end
  }

 private:
  const PackFile& file_;
  std::uint64_t size_;
};

}  // namespace

Result<PackRow> index_pack(ChunkIndex& index, const PackFolder& folder, std::uint32_t number,
                           const std::function<void(const Digest&)>& checked) {
  auto file = folder.file(number);
  if (!file) return file.error();
  std::array<std::uint8_t, 16> header{};
  if ((*file)->read(0, header)) {
    if (auto ok = check_pack_header(header); !ok) return prefix((*file)->path(), ok.error());
  }
  PackRow row{.end = kPackBlockBytes};
  std::optional<Error> failed;
  std::vector<Digest> pending;
  std::unordered_set<Digest, DigestHash> pending_ids;
  IndexBatch batch;
  const auto flush = [&] {
    batch.put_pack(number, row);
    if (auto ok = index.commit(batch); !ok) {
      failed = ok.error();
      return;
    }
    batch = IndexBatch();
    for (const Digest& id : pending) checked(id);
    pending.clear();
    pending_ids.clear();
  };
  scan_pack(FileBytes(**file), [&](const ScannedRecord& record) {
    if (failed) return;
    const std::uint64_t begin = record.payload_offset - kRecordHeaderBytes;
    row.end = begin + record_bytes(record.header.size_bytes);
    auto held = index.find(record.header.id);
    if (!held) {
      failed = held.error();
      return;
    }
    if (*held || !pending_ids.insert(record.header.id).second) return;
    batch.put_chunk(record.header.id, {.pack = number,
                                       .offset = static_cast<std::uint32_t>(record.payload_offset),
                                       .size_bytes = record.header.size_bytes});
    ++row.chunks;
    row.payload_bytes += record.header.size_bytes;
    pending.push_back(record.header.id);
    if (pending.size() == kScanBatch) flush();
  });
  if (!failed) flush();
  if (failed) return *failed;
  return row;
}

}  // namespace farboot
