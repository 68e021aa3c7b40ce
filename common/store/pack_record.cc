#include "common/store/pack_record.h"

#include <algorithm>
#include <cstring>

namespace farboot {
namespace {

// On disk. The last byte is the record's version.
constexpr std::array<std::uint8_t, 8> kRecordMagic = {'F', 'B', 'c', 'h', 'u', 'n', 'k', 1};
constexpr std::array<std::uint8_t, 8> kPackMagic = {'F', 'B', 'p', 'a', 'c', 'k', '\r', '\n'};
constexpr std::size_t kSizeAt = 8;
constexpr std::size_t kDigestAt = 16;
constexpr std::size_t kCheckAt = 56;  ///< the first 8 bytes of the SHA-256 of what is before

/// How much a scan looks at a time for the next record.
constexpr std::size_t kSearchBytes = 64 * 1024;

void put_u32(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
std::uint32_t get_u32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16 |
         std::uint32_t{at[3]} << 24;
}

/// The record at `offset`, if there is a whole and right one.
std::optional<ScannedRecord> record_at(const PackBytes& pack, std::uint64_t offset,
                                       ByteView header_bytes, Bytes& payload) {
  const auto header = decode_record(header_bytes);
  if (!header) return std::nullopt;
  const std::uint64_t payload_offset = offset + kRecordHeaderBytes;
  if (payload_offset + header->size_bytes > pack.size()) return std::nullopt;
  payload.resize(header->size_bytes);
  if (!pack.read(payload_offset, payload)) return std::nullopt;
  if (sha256(payload) != header->id) return std::nullopt;
  return ScannedRecord{*header, payload_offset};
}

}  // namespace

std::array<std::uint8_t, kRecordHeaderBytes> encode_record(const RecordHeader& header) {
  std::array<std::uint8_t, kRecordHeaderBytes> bytes{};
  std::copy(kRecordMagic.begin(), kRecordMagic.end(), bytes.begin());
  put_u32(bytes.data() + kSizeAt, header.size_bytes);
  std::copy(header.id.bytes.begin(), header.id.bytes.end(), bytes.begin() + kDigestAt);
  const Digest check = sha256(ByteView(bytes).first(kCheckAt));
  std::copy_n(check.bytes.begin(), bytes.size() - kCheckAt, bytes.begin() + kCheckAt);
  return bytes;
}

std::optional<RecordHeader> decode_record(ByteView bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  if (!std::equal(kRecordMagic.begin(), kRecordMagic.end(), bytes.begin())) return std::nullopt;
  const Digest check = sha256(bytes.first(kCheckAt));
  if (!std::equal(bytes.begin() + kCheckAt, bytes.begin() + kRecordHeaderBytes,
                  check.bytes.begin())) {
    return std::nullopt;
  }
  RecordHeader header;
  header.size_bytes = get_u32(bytes.data() + kSizeAt);
  if (header.size_bytes == 0 || header.size_bytes > kChunkBytesMax) return std::nullopt;
  std::copy_n(bytes.begin() + kDigestAt, header.id.bytes.size(), header.id.bytes.begin());
  return header;
}

Bytes encode_pack_header(std::uint32_t number) {
  Bytes bytes(kPackBlockBytes, 0);
  std::copy(kPackMagic.begin(), kPackMagic.end(), bytes.begin());
  put_u32(bytes.data() + 8, kPackFormat);
  put_u32(bytes.data() + 12, number);
  return bytes;
}

Result<void> check_pack_header(ByteView bytes) {
  if (bytes.size() < 16) return {};
  if (!std::equal(kPackMagic.begin(), kPackMagic.end(), bytes.begin())) return {};
  const std::uint32_t format = get_u32(bytes.data() + 8);
  if (format == kPackFormat) return {};
  return fail(Errc::invalid, "pack format {}, this version reads {}", format, kPackFormat);
}

void scan_pack(const PackBytes& pack, const std::function<void(const ScannedRecord&)>& found) {
  Bytes window(kSearchBytes), payload;
  std::uint64_t offset = kPackBlockBytes;
  for (;;) {
    // A hole begins and ends at a block boundary, so aligning down loses no record.
    const std::uint64_t data = pack.next_data(offset);
    offset = std::max(offset, data / kRecordAlign * kRecordAlign);
    if (offset + kRecordHeaderBytes > pack.size()) return;
    const std::size_t length = std::min<std::uint64_t>(window.size(), pack.size() - offset);
    const auto view = std::span(window).first(length);
    if (!pack.read(offset, view)) {
      offset = align_up(offset + 1, kPackBlockBytes);  // a bad block: try the next one
      continue;
    }
    std::size_t at = 0;
    std::optional<ScannedRecord> record;
    for (; at + kRecordHeaderBytes <= length && !record; at += kRecordAlign) {
      record = record_at(pack, offset + at, view.subspan(at, kRecordHeaderBytes), payload);
    }
    if (record) {
      found(*record);
      offset =
          record->payload_offset - kRecordHeaderBytes + record_bytes(record->header.size_bytes);
    } else {
      offset += at;
    }
  }
}

}  // namespace farboot
