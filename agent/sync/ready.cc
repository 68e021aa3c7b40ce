#include "agent/sync/ready.h"

#include "common/content/ready_proof.h"

namespace farboot {

SignedDocument make_ready_proof(const IdentityKey& key, std::string agent, const Digest& release,
                                const std::vector<ChunkRef>& chunks, WallTime now) {
  std::vector<Digest> ids;
  ids.reserve(chunks.size());
  ReadyProof proof;
  for (const ChunkRef& chunk : chunks) {
    ids.push_back(chunk.id);
    proof.bytes += chunk.size_bytes;
  }
  proof.agent = std::move(agent);
  proof.release = release;
  proof.chunks = chunks.size();
  proof.root = merkle_root(std::move(ids));
  proof.made = now;
  return key.sign(DocumentKind::ready, encode_ready_proof(proof));
}

}  // namespace farboot
