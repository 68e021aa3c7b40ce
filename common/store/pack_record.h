// Pack files as bytes. Pure.
//
//   offset 0            header, one block (kPackBlockBytes)
//   then batches, each beginning at a block boundary: no write ever touches a block of the disk
//   that holds what an earlier batch was acknowledged for
//   a batch is records: 64 bytes of header, payload, zeros up to the next multiple of 64; before
//   the header of a large one zeros, so that its payload begins with a page: what sendfile(2) takes
//   is whole pages then, and packets are full
//
// Records carry length and digest, so a lost index is rebuilt by one scan. Holes are where freed
// chunks were.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/manifest.h"

namespace farboot {

inline constexpr std::uint64_t kPackBlockBytes = 4096;
inline constexpr std::size_t kRecordAlign = 64;
inline constexpr std::size_t kRecordHeaderBytes = 64;
/// From here on a payload begins with a block; less than a block is lost before it.
inline constexpr std::uint32_t kAlignedPayloadBytesMin = 256 * 1024;
inline constexpr std::uint32_t kPackFormat = 1;  // on disk: never reuse a number

inline constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t step) {
  return (value + step - 1) / step * step;
}
/// What a payload of `size_bytes` takes in a pack, its header included, but not zeros before that.
inline constexpr std::uint64_t record_bytes(std::uint32_t size_bytes) {
  return align_up(kRecordHeaderBytes + std::uint64_t{size_bytes}, kRecordAlign);
}
/// Where the record of such a payload begins, at `offset` (a multiple of kRecordAlign) or behind.
inline constexpr std::uint64_t record_begin(std::uint64_t offset, std::uint32_t size_bytes) {
  if (size_bytes < kAlignedPayloadBytesMin) return offset;
  return align_up(offset + kRecordHeaderBytes, kPackBlockBytes) - kRecordHeaderBytes;
}
inline constexpr std::uint64_t record_end(std::uint64_t offset, std::uint32_t size_bytes) {
  return record_begin(offset, size_bytes) + record_bytes(size_bytes);
}

/// The most that a payload can take, wherever its record begins.
inline constexpr std::uint64_t record_room(std::uint32_t size_bytes) {
  return record_bytes(size_bytes) + (size_bytes < kAlignedPayloadBytesMin ? 0 : kPackBlockBytes);
}

struct RecordHeader {
  Digest id;
  std::uint32_t size_bytes = 0;  ///< of the payload; 1 … kChunkBytesMax
  bool operator==(const RecordHeader&) const = default;
};
std::array<std::uint8_t, kRecordHeaderBytes> encode_record(const RecordHeader& header);
/// None unless magic, check sum and size are right.
std::optional<RecordHeader> decode_record(ByteView bytes);

/// The first block of pack `number`.
Bytes encode_pack_header(std::uint32_t number);
/// Errors: invalid: it is a pack, of a format we cannot read. Anything else is no error: a header
/// may have been lost, and the records speak for themselves.
Result<void> check_pack_header(ByteView bytes);

/// Where a scan reads from.
class PackBytes {
 public:
  virtual ~PackBytes() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `out` from `offset` on; false if the disk cannot.
  virtual bool read(std::uint64_t offset, std::span<std::uint8_t> out) const = 0;
  /// The first offset not before `offset` that is not in a hole; size() if there is none.
  virtual std::uint64_t next_data(std::uint64_t offset) const { return offset; }
};

struct ScannedRecord {
  RecordHeader header;
  std::uint64_t payload_offset = 0;
};
/// Calls `found` for every record whose payload hashes to its digest, in order; whatever else lies
/// there (holes, rot, half-written records, bad blocks) is stepped over.
void scan_pack(const PackBytes& pack, const std::function<void(const ScannedRecord&)>& found);

}  // namespace farboot
