// The other end of a transfer, as sync needs it: the controller, or another agent.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/signature.h"

namespace farboot {

/// offer: a release, its manifests and how much it is.
struct Offer {
  SignedDocument release;
  std::vector<Digest> manifests;
  std::uint64_t total_bytes = 0;  ///< every chunk once, manifests included
  std::uint64_t chunks = 0;
};

/// chunk: plain bytes as they came, not verified yet.
struct FetchedChunk {
  Digest id;
  Bytes bytes;
  std::uint64_t wire_bytes = 0;  ///< what it took on the line
};

inline constexpr std::size_t kWantChunksMax = 4096;  ///< in one fetch, as link.proto says

class Upstream {
 public:
  /// An error ends the fetch, and is what fetch() returns.
  using Take = std::function<Result<void>(FetchedChunk chunk)>;

  virtual ~Upstream() = default;
  /// want → chunk. Calls `take` on this thread for each chunk that comes, in any order; chunks the
  /// other side does not hold do not come. Blocks until the last one. `want`: 1 … kWantChunksMax.
  /// Errors: unavailable, timeout (the link is cut), denied (not ours to have), cancelled.
  virtual Result<void> fetch(const Digest& release, std::span<const Digest> want,
                             const Take& take) = 0;
};

}  // namespace farboot
