// ready: the agent's statement that it holds a release whole. The document is ReadyProof
// (common/content/ready_proof.h): agent, release digest, number and bytes of its chunks, and the
// Merkle root over their sorted digests; JSON; signed ECDSA P-256 by the agent's identity key, the
// one its certificate carries (common/content/identity_key.h). Whoever holds the release and the
// agent's public key can check it.
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/content/digest.h"
#include "common/content/identity_key.h"
#include "common/content/manifest.h"
#include "common/content/signature.h"

namespace farboot {

/// To be called only after every chunk of `chunks` was read back and hashed.
SignedDocument make_ready_proof(const IdentityKey& key, std::string agent, const Digest& release,
                                const std::vector<ChunkRef>& chunks, WallTime now);

}  // namespace farboot
