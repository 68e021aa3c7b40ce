// What a store remembers of the chunks it holds, so that it need not ask the disk: which were
// checked since it was opened, and where those last used lie.
#pragma once

#include <optional>
#include <vector>

#include "common/base/guarded.h"
#include "common/content/digest.h"
#include "common/store/chunk_index.h"
#include "common/store/digest_set.h"

namespace farboot {

/// Thread-safe; never blocks on the disk. It is told of every chunk that goes, after the index was:
/// what it says may be older than the index by that moment.
class KnownChunks {
 public:
  bool checked(const Digest& id) const;
  void set_checked(const Digest& id);

  /// Where a chunk lies that was checked and used lately. Compared by its whole digest.
  std::optional<ChunkPlace> place(const Digest& id) const;
  /// Whoever remembers a place looks into the index again afterwards, and forgets it if it moved.
  void set_place(const Digest& id, const ChunkPlace& place);

  /// Neither checked nor held at any place.
  void forget(const Digest& id);

 private:
  struct Slot {
    Digest id;
    ChunkPlace place;
  };
  struct State {
    DigestSet checked;
    std::vector<Slot> slots;  ///< in sets; made at first use
  };
  Guarded<State> state_;
};

}  // namespace farboot
