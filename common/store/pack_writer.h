// The one that changes what a pack store holds: appends, forgets, frees. One change at a time, for
// the disk is one; each is durable, index and bytes together, before it counts.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "common/base/guarded.h"
#include "common/store/chunk_index.h"
#include "common/store/content_store.h"
#include "common/store/known_chunks.h"
#include "common/store/pack_folder.h"

namespace farboot {

struct PackLimits {
  std::uint64_t budget_bytes = 0;   ///< most that packs and database may allocate
  std::uint64_t reserve_bytes = 0;  ///< of the file system, left free for others
  std::uint64_t pack_bytes_max = 0;
};

/// Thread-safe.
class PackWriter {
 public:
  /// `known` learns what was put (checked as it came in) and forgets what is no longer held.
  PackWriter(ChunkIndex& index, PackFolder& folder, KnownChunks& known, PackLimits limits)
      : index_(index), folder_(folder), known_(known), limits_(limits) {}

  /// Reads the rows, cuts unindexed tails, takes in packs that a crash left without a row. Before
  /// anything else. Errors: corrupt (the index is lost or older than the packs: rebuild).
  Result<void> load();

  /// Stores those not held; their digests have been verified. Errors: exhausted, unavailable.
  Result<void> put(std::span<const ContentStore::Chunk> chunks);

  /// Takes the chunk out of the index if it still lies at `place`. True if it did.
  Result<bool> quarantine(const Quarantined& chunk);

  /// Between these, what is put, or put again, is not forgotten.
  void begin_sweep();
  void end_sweep();
  struct Dead {
    Digest id;
    ChunkPlace place;
  };
  /// Deletes from the index, durably, what still lies there and was not put again. Returns how
  /// many, and the bytes of those that lay inline.
  struct Forgotten {
    std::uint64_t chunks = 0;
    std::uint64_t inline_bytes = 0;
  };
  Result<Forgotten> forget(std::span<const Dead> dead);
  /// Unlinks packs that hold no chunk. Returns bytes freed.
  Result<std::uint64_t> drop_empty_packs();
  /// Punches what was forgotten and is read by nobody. Returns bytes freed.
  Result<std::uint64_t> reclaim();

  StoreUsage usage() const;

 private:
  /// One pack's part in a put under way.
  struct Touched {
    std::uint32_t pack = 0;
    std::shared_ptr<PackFile> file;
    PackRow row;  ///< as it will be
    std::uint64_t end_before = 0;
    bool created = false;
  };
  struct Totals {
    std::uint64_t chunks = 0;
    std::uint64_t payload_bytes = 0;
    std::map<std::uint32_t, std::uint64_t> disk_bytes;  ///< by pack
  };
  using Fresh = std::vector<const ContentStore::Chunk*>;

  Result<void> load_pack(std::uint32_t number, PackRow& row);
  Result<void> adopt();

  Result<Fresh> not_held(std::span<const ContentStore::Chunk> chunks);
  Result<void> check_room(std::uint64_t wanted);
  /// What stays free of the file system.
  std::uint64_t reserve_bytes() const;
  Result<Touched> pack_for(std::uint32_t first_size_bytes);
  Result<void> append(const Fresh& large, std::vector<ChunkPlace>& places,
                      std::vector<Touched>& touched);
  void undo(const std::vector<Touched>& touched);
  Result<void> record(const Fresh& small, const Fresh& large, const std::vector<ChunkPlace>& places,
                      const std::vector<Touched>& touched);
  void erase_from(IndexBatch& batch, const Dead& dead, std::map<std::uint32_t, PackRow>& rows,
                  InlineRow& inline_row) const;
  std::uint64_t punch_run(std::span<const FreedRow> run, IndexBatch& batch);

  ChunkIndex& index_;
  PackFolder& folder_;
  KnownChunks& known_;
  PackLimits limits_;

  mutable std::mutex mutex_;  ///< orders all changes; held during the disk's work
  std::map<std::uint32_t, PackRow> rows_;
  InlineRow inline_row_;
  std::uint32_t next_pack_ = 1;
  std::uint32_t current_ = 0;  ///< pack being appended to; 0: none
  std::uint64_t next_quarantine_ = 0;
  std::vector<std::uint32_t> unadopted_;  ///< packs that a crash left without a row
  /// Of the put that the database refused last: taken back once it is sure to have forgotten.
  std::vector<Touched> refused_;
  std::optional<std::unordered_set<Digest, DigestHash>> put_during_sweep_;

  std::mutex reclaim_mutex_;  ///< taken after mutex_
  mutable Guarded<Totals> totals_;
};

}  // namespace farboot
