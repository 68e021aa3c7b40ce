// The content store's twin in memory: the same contract and the same test suite, for tests of
// whatever needs a store and for short-lived tools.
#pragma once

#include <limits>
#include <map>

#include "common/base/guarded.h"
#include "common/store/content_store.h"

namespace farboot {

class MemoryStore final : public ContentStore {
 public:
  explicit MemoryStore(std::uint64_t budget_bytes = std::numeric_limits<std::int64_t>::max())
      : budget_bytes_(budget_bytes) {}

  using ContentStore::put;
  Result<Bytes> get(const Digest& id) const override;
  Result<void> put(std::span<const Chunk> chunks) override;
  Result<std::vector<Digest>> missing(std::span<const Digest> ids) const override;
  Result<ChunkSource> open(const Digest& id) const override;
  std::optional<ChunkSource> open_at_once(const Digest& id) const override;
  bool checked(const Digest& id) const override;
  Result<void> verify(const Digest& id) override;
  Result<std::uint64_t> sweep(const std::function<bool(const Digest&)>& keep) override;
  Result<StoreUsage> usage() const override;

  /// Flips a bit of what is stored under `id` and forgets that it was ever checked: memory's way
  /// of rotting at rest. False if `id` is not held.
  bool rot(const Digest& id);

 private:
  struct Held {
    std::shared_ptr<const Bytes> bytes;
    bool checked = false;
    std::uint64_t last_put = 0;
  };
  struct State {
    std::map<Digest, Held> chunks;
    std::uint64_t payload_bytes = 0;
    std::uint64_t puts = 0;
  };
  Result<std::shared_ptr<const Bytes>> trusted(const Digest& id, bool again) const;

  std::uint64_t budget_bytes_;
  mutable Guarded<State> state_;
};

}  // namespace farboot
