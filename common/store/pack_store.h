// ContentStore on a disk: payload in append-only pack files, small chunks and the index in RocksDB.
// A chunk counts as held only once its bytes and then its index entry are durable.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "common/store/chunk_index.h"
#include "common/store/content_store.h"
#include "common/store/known_chunks.h"
#include "common/store/pack_folder.h"
#include "common/store/pack_writer.h"

namespace farboot {

inline constexpr std::uint64_t kPackBytesMax = 128u << 20;

struct PackStoreOptions {
  /// Most that packs and database may allocate. None: 80 % of the file system.
  std::optional<std::uint64_t> budget_bytes;
  /// Left free on the file system. None: 256 MB or 2 % of it, whichever is more.
  std::optional<std::uint64_t> reserve_bytes;
  std::uint64_t pack_bytes_max = kPackBytesMax;
  /// Called after a rotten chunk was taken out, on the thread that found it. Must be quick and must
  /// not call the store.
  std::function<void(const Quarantined&)> on_quarantine;
};

class PackStore final : public ContentStore {
 public:
  /// Borrows `database`, which must outlive it; at most one per database. Packs lie in `folder`.
  /// Errors: corrupt (the index is lost or older than the packs: rebuild), denied, unavailable.
  static Result<std::unique_ptr<PackStore>> open(Database& database, const std::string& folder,
                                                 PackStoreOptions options = {});

  struct Rebuilt {
    std::uint64_t packs = 0;
    std::uint64_t chunks = 0;
    std::uint64_t payload_bytes = 0;
  };
  /// Makes the index anew by reading all packs; chunks that lay inline in a lost database are gone
  /// and will be missing. No store may be open on either. Can be interrupted and repeated.
  static Result<Rebuilt> rebuild(Database& database, const std::string& folder);

  using ContentStore::put;
  Result<Bytes> get(const Digest& id) const override;
  Result<void> put(std::span<const Chunk> chunks) override;
  Result<std::vector<Digest>> missing(std::span<const Digest> ids) const override;
  Result<ChunkSource> open(const Digest& id) const override;
  std::optional<ChunkSource> open_at_once(const Digest& id) const override;
  bool checked(const Digest& id) const override;
  Result<void> verify(const Digest& id) override;
  Result<std::vector<Digest>> verify_all(std::span<const Digest> ids) override;
  Result<std::uint64_t> sweep(const std::function<bool(const Digest&)>& keep) override;
  Result<StoreUsage> usage() const override;

  /// Rotten chunks that were taken out, oldest first; the last 1,000.
  Result<std::vector<Quarantined>> quarantined() const;

 private:
  PackStore(Database& database, const std::string& folder, PackStoreOptions options,
            PackLimits limits);

  /// A chunk's bytes, held: they stay readable while this lives.
  struct Found {
    ChunkPlace place;
    std::shared_ptr<PackFile> file;
    std::shared_ptr<const void> lease;
    std::shared_ptr<const Bytes> inline_bytes;
  };
  Result<Found> find(const Digest& id) const;
  Result<void> check(const Digest& id, const Found& found) const;
  Result<void> drop_cached_inline();
  void remember(const Digest& id, const ChunkPlace& place) const;
  Error quarantine(const Digest& id, const ChunkPlace& place, std::string why) const;

  PackStoreOptions options_;
  // Readers find rot, and finding it changes the store: constness ends at these pointers.
  std::unique_ptr<KnownChunks> known_;
  std::unique_ptr<PackFolder> folder_;
  std::unique_ptr<ChunkIndex> index_;
  std::unique_ptr<PackWriter> writer_;
  std::mutex sweep_mutex_;  ///< one sweep at a time
  std::atomic<bool> inline_unflushed_ = true;
};

}  // namespace farboot
