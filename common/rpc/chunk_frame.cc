#include "common/rpc/chunk_frame.h"

#include <zstd.h>

#include <algorithm>
#include <vector>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "common/content/manifest.h"
#include "common/rpc/convert.h"

namespace farboot {
namespace {

constexpr int kZstdLevel = 1;
constexpr std::size_t kTryBytesMin = 256;
constexpr std::size_t kSampleBytes = 16 * 1024;
constexpr std::size_t kSampleFromBytes = 64 * 1024;  // shorter chunks are tried whole

// Field tags of link.proto: number << 3 | wire type.
constexpr char kFrameChunk = 1 << 3 | 2;
constexpr char kFrameMissing = 2 << 3 | 2;
constexpr char kChunkId = 1 << 3 | 2;
constexpr char kChunkEncoding = 2 << 3 | 0;
constexpr char kChunkSize = 3 << 3 | 0;
constexpr char kChunkPayload = 4 << 3 | 2;

/// Compressed, or empty where that saves less than 5 %.
Bytes try_zstd(ByteView plain) {
  Bytes out(ZSTD_compressBound(plain.size()));
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), kZstdLevel);
  if (ZSTD_isError(size) || size > plain.size() - plain.size() / 20) return {};
  out.resize(size);
  return out;
}

bool worth_trying(ByteView plain) {
  if (plain.size() < kTryBytesMin) return false;
  if (plain.size() <= kSampleFromBytes) return true;
  // Packages and squashfs are compressed already: two samples tell, at a thirtieth of the cost.
  return !try_zstd(plain.first(kSampleBytes)).empty() ||
         !try_zstd(plain.subspan(plain.size() / 2, kSampleBytes)).empty();
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

grpc::Slice slice_of(std::shared_ptr<const Bytes> bytes) {
  using Holder = std::shared_ptr<const Bytes>;
  const std::uint8_t* data = bytes->data();
  const std::size_t size = bytes->size();
  // gRPC hands the holder back when the last byte is written.
  auto holder = std::make_unique<Holder>(std::move(bytes));
  return grpc::Slice(
      const_cast<std::uint8_t*>(data), size,
      [](void* held) { const std::unique_ptr<Holder> end(static_cast<Holder*>(held)); },
      holder.release());
}

}  // namespace

WireChunk encode_chunk(const Digest& id, Bytes plain) {
  WireChunk chunk;
  chunk.id = id;
  chunk.size_bytes = static_cast<std::uint32_t>(plain.size());
  if (worth_trying(plain)) {
    Bytes packed = try_zstd(plain);
    if (!packed.empty()) {
      chunk.encoding = v1::CHUNK_ENCODING_ZSTD;
      plain = std::move(packed);
      plain.shrink_to_fit();
    }
  }
  chunk.payload = std::make_shared<const Bytes>(std::move(plain));
  return chunk;
}

Result<Bytes> decode_chunk(v1::Chunk&& chunk) {
  if (chunk.size_bytes() == 0 || chunk.size_bytes() > kChunkBytesMax)
    return fail(Errc::invalid, "chunk: {} bytes, 1 to {} expected", chunk.size_bytes(),
                kChunkBytesMax);
  const std::string& payload = chunk.payload();
  if (chunk.encoding() == v1::CHUNK_ENCODING_PLAIN) {
    if (payload.size() != chunk.size_bytes())
      return fail(Errc::invalid, "chunk: {} bytes came, {} were promised", payload.size(),
                  chunk.size_bytes());
    return to_bytes(payload);
  }
  if (chunk.encoding() != v1::CHUNK_ENCODING_ZSTD)
    return fail(Errc::invalid, "chunk: encoding {} is not known here",
                static_cast<int>(chunk.encoding()));
  Bytes plain(chunk.size_bytes());
  const std::size_t size =
      ZSTD_decompress(plain.data(), plain.size(), payload.data(), payload.size());
  if (ZSTD_isError(size) || size != plain.size())
    return fail(Errc::invalid, "chunk: broken zstd, or not of {} bytes", plain.size());
  return plain;
}

grpc::ByteBuffer to_byte_buffer(std::span<const WireChunk> chunks,
                                std::span<const Digest> missing) {
  std::vector<grpc::Slice> slices;
  std::string head;
  const auto flush = [&] {
    if (!head.empty()) slices.emplace_back(head);
    head.clear();
  };
  for (const WireChunk& chunk : chunks) {
    std::string fields;
    fields += kChunkId;
    put_varint(fields, chunk.id.bytes.size());
    fields += as_text(chunk.id.bytes);
    if (chunk.encoding != v1::CHUNK_ENCODING_PLAIN) {
      fields += kChunkEncoding;
      put_varint(fields, static_cast<std::uint64_t>(chunk.encoding));
    }
    fields += kChunkSize;
    put_varint(fields, chunk.size_bytes);
    fields += kChunkPayload;
    put_varint(fields, chunk.payload->size());
    head += kFrameChunk;
    put_varint(head, fields.size() + chunk.payload->size());
    head += fields;
    flush();
    slices.push_back(slice_of(chunk.payload));
  }
  if (!missing.empty()) {
    const std::string ids = to_proto(missing);
    head += kFrameMissing;
    put_varint(head, ids.size());
    head += ids;
  }
  flush();
  return {slices.data(), slices.size()};
}

}  // namespace farboot
