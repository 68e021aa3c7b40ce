#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/check.h"
#include "common/store/pack_record.h"

namespace {

using namespace farboot;

/// The fuzzer's bytes behind a pack's header block. The first byte says which block is unreadable
/// (none if it lies beyond the end).
class FuzzPack final : public PackBytes {
 public:
  FuzzPack(const std::uint8_t* bytes, std::size_t size) : bytes_(encode_pack_header(1)) {
    bad_ = bytes[0];
    bytes_.insert(bytes_.end(), bytes + 1, bytes + size);
  }
  std::uint64_t size() const override { return bytes_.size(); }
  bool read(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    FARBOOT_CHECK(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
    const std::uint64_t bad = std::uint64_t{bad_} * kPackBlockBytes;
    if (offset < bad + kPackBlockBytes && bad < offset + out.size()) return false;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return true;
  }
  ByteView view(std::uint64_t offset, std::size_t size) const {
    return ByteView(bytes_).subspan(offset, size);
  }

 private:
  std::uint8_t bad_ = 0;
  Bytes bytes_;
};

}  // namespace

// Whatever lies on the disk: what a scan finds lies inside the file, in order, without overlap, and
// hashes to its name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const FuzzPack pack(bytes, size);
  std::uint64_t end = kPackBlockBytes;
  scan_pack(pack, [&](const ScannedRecord& record) {
    const std::uint64_t begin = record.payload_offset - kRecordHeaderBytes;
    FARBOOT_CHECK(begin >= end);
    FARBOOT_CHECK(record.payload_offset + record.header.size_bytes <= pack.size());
    FARBOOT_CHECK(sha256(pack.view(record.payload_offset, record.header.size_bytes)) ==
                  record.header.id);
    FARBOOT_CHECK(decode_record(encode_record(record.header)) == record.header);
    end = record.payload_offset + record.header.size_bytes;
  });
  static_cast<void>(check_pack_header(ByteView(bytes, size)));
  static_cast<void>(decode_record(ByteView(bytes, size)));
  return 0;
}
