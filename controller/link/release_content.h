// What a release consists of, for offers, for the question whether a chunk belongs to it, and for
// checking an agent's claim to hold it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/content/signature.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"

namespace farboot {

/// Immutable.
struct ReleaseContent {
  Digest digest;
  SignedDocument document;
  std::vector<Digest> manifests;
  std::uint64_t total_bytes = 0;
  std::vector<Digest> chunks;  ///< sorted, each once
  Digest root;                 ///< merkle_root() of them

  bool has(const Digest& chunk) const;
};

/// Thread-safe. Remembers the releases asked for last: a fleet asks for the same few.
class ReleaseContents {
 public:
  static constexpr std::size_t kRemembered = 8;

  ReleaseContents(const StateStore& state, const ContentStore& content)
      : state_(state), content_(content) {}

  /// Blocks the first time. Errors: not_found (no such release, or a manifest is gone), corrupt.
  Result<std::shared_ptr<const ReleaseContent>> get(const Digest& release);

 private:
  std::shared_ptr<const ReleaseContent> remembered(const Digest& release);
  Result<std::shared_ptr<const ReleaseContent>> load(const Digest& release) const;

  const StateStore& state_;
  const ContentStore& content_;
  std::mutex loading_;  ///< one at a time: a fleet that comes back asks for the same one at once
  Guarded<std::deque<std::shared_ptr<const ReleaseContent>>> remembered_;
};

}  // namespace farboot
