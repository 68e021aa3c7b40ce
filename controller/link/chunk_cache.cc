#include "controller/link/chunk_cache.h"

#include <unistd.h>
#include <optional>

#include <cerrno>
#include <cstring>

namespace farboot {
namespace {

/// The store has checked the bytes on their first use since the start; the agent checks them
/// anyway.
Result<Bytes> read_source(const ChunkSource& source) {
  if (source.fd < 0) return *source.inline_bytes;
  Bytes bytes(source.size_bytes);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(source.fd, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(source.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Errc::corrupt, "pack file: {}", std::strerror(errno));
    if (n == 0) return fail(Errc::corrupt, "pack file: ends early");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace

Result<WireChunk> ChunkCache::get(const Digest& id, bool zstd) {
  auto known = kept_.with([&](Kept& kept) -> std::optional<WireChunk> {
    const auto found = kept.by_id.find(id);
    if (found == kept.by_id.end()) return std::nullopt;
    kept.newest_first.splice(kept.newest_first.begin(), kept.newest_first, found->second);
    return *found->second;
  });
  if (known && (zstd || known->encoding == v1::CHUNK_ENCODING_PLAIN)) return std::move(*known);
  auto source = content_.open(id);
  if (!source) return source.error();
  auto bytes = read_source(*source);
  // The store looks once more, and quarantines what is lost: the rest of a fetch goes on then.
  if (!bytes) bytes = content_.get(id);
  if (!bytes) return bytes.error();
  if (!zstd) {  // an agent of a neighbouring version that knows none
    const auto size = static_cast<std::uint32_t>(bytes->size());
    return WireChunk{id, v1::CHUNK_ENCODING_PLAIN, size,
                     std::make_shared<const Bytes>(std::move(*bytes))};
  }
  WireChunk chunk = encode_chunk(id, std::move(*bytes));
  keep(chunk);
  return chunk;
}

void ChunkCache::keep(const WireChunk& chunk) {
  kept_.with([&](Kept& kept) {
    if (kept.by_id.contains(chunk.id)) return;
    kept.newest_first.push_front(chunk);
    kept.by_id[chunk.id] = kept.newest_first.begin();
    kept.bytes += chunk.payload->size();
    while (kept.bytes > kBytesMax) {
      kept.bytes -= kept.newest_first.back().payload->size();
      kept.by_id.erase(kept.newest_first.back().id);
      kept.newest_first.pop_back();
    }
  });
}

}  // namespace farboot
