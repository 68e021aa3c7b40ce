// Chunks in the form in which they travel, shared by all who fetch them: pushed to many agents, a
// chunk is read and compressed once.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/rpc/chunk_frame.h"
#include "common/store/content_store.h"

namespace farboot {

/// Thread-safe.
class ChunkCache {
 public:
  static constexpr std::uint64_t kBytesMax = 64u << 20;

  explicit ChunkCache(const ContentStore& content) : content_(content) {}

  /// Blocks. Errors: not_found, corrupt (the store has quarantined it), unavailable (the store
  /// cannot say).
  Result<WireChunk> get(const Digest& id, bool zstd);

 private:
  struct Kept {
    std::list<WireChunk> newest_first;
    std::unordered_map<Digest, std::list<WireChunk>::iterator, DigestHash> by_id;
    std::uint64_t bytes = 0;
  };
  void keep(const WireChunk& chunk);

  const ContentStore& content_;
  Guarded<Kept> kept_;
};

}  // namespace farboot
