// chunk: many small pieces or one large one in a frame; zstd only where it saves something.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "farboot/v1/link.pb.h"

namespace grpc {
class ByteBuffer;
}

namespace farboot {

inline constexpr std::size_t kFrameBytesMax = 1u << 20;  ///< payload; one chunk may fill it alone
inline constexpr std::size_t kFrameChunksMax = 512;

/// A chunk as it travels. Shared: one copy serves many agents.
struct WireChunk {
  Digest id;
  v1::ChunkEncoding encoding = v1::CHUNK_ENCODING_PLAIN;
  std::uint32_t size_bytes = 0;  ///< of the plain bytes
  std::shared_ptr<const Bytes> payload;
};

/// Tries zstd where a sample promises something; keeps it where it saves at least 5 %.
WireChunk encode_chunk(const Digest& id, Bytes plain);

/// The plain bytes; not compared with the id. Errors: invalid (sizes, encoding, broken zstd).
Result<Bytes> decode_chunk(v1::Chunk&& chunk);

/// A v1::ChunkFrame, serialised without copying a payload: the slices keep them alive.
grpc::ByteBuffer to_byte_buffer(std::span<const WireChunk> chunks, std::span<const Digest> missing);

}  // namespace farboot
