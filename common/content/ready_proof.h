// What an agent signs when every chunk of a release was read back from its own disk and hashed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

inline constexpr std::size_t kReadyProofBytesMax = 4096;

/// JSON, signed by the agent's identity key (identity_key.h) as DocumentKind::ready. Whoever holds
/// the release can compute `root` and so check the whole statement.
struct ReadyProof {
  static constexpr std::uint32_t kFormat = 1;  // on disk and on wire: never reuse a number

  std::string agent;         ///< `lyon/pi1`
  Digest release;            ///< of the release document
  std::uint64_t chunks = 0;  ///< different ones: manifests, their parts, the files' pieces
  std::uint64_t bytes = 0;   ///< of these chunks
  Digest root;               ///< merkle_root() of their digests
  WallTime made{};           ///< by the agent's clock, which may be wrong
  bool operator==(const ReadyProof&) const = default;
};

Bytes encode_ready_proof(const ReadyProof& proof);
/// Errors: invalid.
Result<ReadyProof> decode_ready_proof(ByteView document);

/// The Merkle tree hash of RFC 6962 §2.1 (SHA-256; 0x00 before a leaf, 0x01 before a node) over the
/// digests sorted bytewise, each once.
Digest merkle_root(std::vector<Digest> digests);

}  // namespace farboot
