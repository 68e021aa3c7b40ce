// Chunks as they come down the link, and any bytes as a chunk on its way there.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "agent/link/convert.h"
#include "common/base/check.h"
#include "common/content/manifest.h"
#include "common/rpc/chunk_frame.h"

namespace {

using namespace farboot;

Result<void> check_chunk(const FetchedChunk& chunk) {
  FARBOOT_CHECK(!chunk.bytes.empty() && chunk.bytes.size() <= kChunkBytesMax);
  return {};
}

std::string in_one_piece(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  FARBOOT_CHECK(buffer.Dump(&slices).ok());
  std::string whole;
  for (const grpc::Slice& slice : slices)
    whole.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return whole;
}

/// Sent, and for bytes that repeat with zstd: what arrives is what was sent.
void send(ByteView input) {
  if (input.empty() || input.size() > kChunkBytesMax) return;
  Bytes often;
  while (often.size() < 1024) often.insert(often.end(), input.begin(), input.end());
  const std::array<Bytes, 2> plain = {Bytes(input.begin(), input.end()), std::move(often)};
  std::vector<WireChunk> chunks;
  for (const Bytes& bytes : plain) {
    if (bytes.size() > kChunkBytesMax) continue;
    chunks.push_back(encode_chunk(sha256(bytes), bytes));
  }
  const std::array<Digest, 1> missing = {sha256(input)};
  v1::ChunkFrame frame;
  FARBOOT_CHECK(frame.ParseFromString(in_one_piece(to_byte_buffer(chunks, missing))));
  FARBOOT_CHECK(frame.missing() == as_text(missing[0].bytes));
  std::size_t came = 0;
  LogLimit lines;
  const auto take = [&](FetchedChunk chunk) -> Result<void> {
    FARBOOT_CHECK(chunk.bytes == plain[came] && chunk.id == sha256(chunk.bytes));
    ++came;
    return check_chunk(chunk);
  };
  const auto taken = take_frame(frame, take, lines);
  FARBOOT_CHECK(taken && came == chunks.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  v1::ChunkFrame frame;
  if (frame.ParseFromArray(bytes, static_cast<int>(size))) {
    const int chunks = frame.chunks_size();
    int came = 0;
    LogLimit lines;
    const auto take = [&](const FetchedChunk& chunk) {
      ++came;
      return check_chunk(chunk);
    };
    const auto taken = take_frame(frame, take, lines);
    FARBOOT_CHECK(came <= chunks && (taken || came < chunks));
  }
  send(ByteView(bytes, size));
  return 0;
}
