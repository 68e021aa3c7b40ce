// One release from there to here: manifests, want, chunk, and everything read back. Resumable at
// the chunk: what was durable once is never asked for again.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "agent/sync/pacer.h"
#include "agent/sync/upstream.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/content/release.h"
#include "common/store/content_store.h"

namespace farboot {

/// Where a transfer is; the same five words as on the wire.
enum class SyncStep : std::uint8_t {
  idle,
  offer,
  want,
  chunk,
  ready,
  activate
};

/// What a transfer asks and tells while it runs.
class TransferWatch {
 public:
  virtual ~TransferWatch() = default;
  /// False: stop, it is no longer wanted. Asked between any two chunks.
  virtual bool wanted() = 0;
  virtual std::uint64_t bytes_per_second() = 0;  ///< 0: no limit
  /// Waits; returns early when wanted() has become false.
  virtual void pause(Milliseconds time) = 0;
  virtual void at(SyncStep step, std::uint64_t bytes_done, std::uint64_t bytes_total) = 0;
  virtual void received(std::uint64_t wire_bytes) = 0;
  /// `missing_bytes` do not fit: free what may be freed. `keep`: chunks of this release, never to
  /// be freed. True if something was freed.
  virtual bool make_room(const std::vector<ChunkRef>& keep) = 0;
};

class Transfer {
 public:
  /// Chunks are stored in batches of this much: one fdatasync each. With gRPC's look-ahead of 8 MiB
  /// and a frame it bounds what a transfer holds in memory.
  static constexpr std::uint64_t kBatchBytes = 4u << 20;
  static constexpr std::size_t kBatchChunksMax = 512;
  /// Read back at once: what goes from the page cache at once, while clients are served from it.
  static constexpr std::uint64_t kReadBackBytes = 16u << 20;
  /// A slow line's chunks are stored after this long at the latest.
  static constexpr Milliseconds kBatchAge{2000};
  static constexpr std::uint64_t kWantBytesMax = 256u << 20;
  /// Rounds that bring nothing new before it gives up.
  static constexpr int kFruitlessRoundsMax = 3;

  /// Borrows all until run() returns. `upstream` null: works with what is here.
  Transfer(ContentStore& store, Upstream* upstream, const Clock& clock, TransferWatch& watch);

  struct Job {
    Digest digest;  ///< of the release document
    std::uint64_t number = 0;
    std::vector<Digest> manifests;
    std::uint64_t total_bytes = 0;  ///< as offered; 0: not known
    bool verify = true;             ///< read every chunk back at the end
  };
  struct Done {
    std::vector<ChunkRef> chunks;  ///< all of the release
    std::uint64_t bytes = 0;
    std::uint64_t fetched_chunks = 0;
  };
  /// Blocks. Errors: exhausted (does not fit, with the numbers), unavailable, denied, cancelled,
  /// mismatch (what came is not what was asked for), invalid (a manifest is malformed).
  Result<Done> run(const Job& job);

 private:
  Result<void> check_room_early(const Job& job);
  Result<void> check_room(const std::vector<ChunkRef>& closure, std::uint64_t missing_bytes);
  Result<void> get_manifests(const Job& job);
  std::vector<ChunkRef> known_manifests(const Job& job) const;
  Result<void> get_manifest_chunks(const Job& job, const Digest& root);
  Result<Bytes> fetch_one(const Job& job, const Digest& id);
  Result<void> get_chunks(const Job& job, const std::vector<ChunkRef>& closure);
  /// The chunks of `closure` not held, in order.
  Result<std::vector<ChunkRef>> lacking(const std::vector<ChunkRef>& closure);
  Result<std::vector<Digest>> read_back(const std::vector<ChunkRef>& closure);
  Result<void> fetch_round(const Job& job, const std::vector<ChunkRef>& missing);
  Result<void> fetch_batch(const Job& job, std::span<const ChunkRef> want);
  Result<void> take(FetchedChunk chunk);
  Result<void> flush();

  ContentStore& store_;
  Upstream* upstream_;
  const Clock& clock_;
  TransferWatch& watch_;
  Pacer pacer_;
  std::unordered_map<Digest, std::uint32_t, DigestHash> wanted_;  ///< of the fetch under way
  std::vector<FetchedChunk> batch_;
  std::uint64_t batch_bytes_ = 0;
  SteadyTime batch_began_{}, last_came_{};
  std::uint64_t total_bytes_ = 0, done_bytes_ = 0, stored_chunks_ = 0, wrong_chunks_ = 0;
};

}  // namespace farboot
