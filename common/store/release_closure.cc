#include "common/store/release_closure.h"

#include <unordered_set>

namespace farboot {

Result<std::vector<ChunkRef>> release_closure(const ContentStore& store,
                                              std::span<const Digest> manifests) {
  std::vector<ChunkRef> all;
  std::unordered_set<Digest, DigestHash> seen;
  for (const Digest& manifest : manifests) {
    auto chunks = manifest_closure(store, manifest);
    if (!chunks) return chunks.error();
    for (const ChunkRef& chunk : *chunks)
      if (seen.insert(chunk.id).second) all.push_back(chunk);
  }
  return all;
}

}  // namespace farboot
