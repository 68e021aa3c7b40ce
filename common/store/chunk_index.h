// The database's rows about chunks: where each lies, what each pack holds, what is to be freed,
// what was quarantined. Knows the rows' bytes, decides nothing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/content/digest.h"
#include "common/store/database.h"

namespace farboot {

/// Where a chunk's bytes are.
struct ChunkPlace {
  std::uint32_t pack = 0;    ///< 0: inline in the database
  std::uint32_t offset = 0;  ///< of the payload
  std::uint32_t size_bytes = 0;
  bool is_inline() const { return pack == 0; }
  bool operator==(const ChunkPlace&) const = default;
};

/// What the index holds of one pack file.
struct PackRow {
  std::uint64_t end = 0;  ///< nothing beyond this offset is indexed
  std::uint64_t chunks = 0;
  std::uint64_t payload_bytes = 0;
};

/// Chunks that lie inline.
struct InlineRow {
  std::uint64_t chunks = 0;
  std::uint64_t payload_bytes = 0;
};

/// Bytes of a pack that no chunk uses any more and that are still to be punched.
struct FreedRow {
  std::uint32_t pack = 0;
  std::uint32_t begin = 0;  ///< of the record
  std::uint32_t end = 0;
  std::uint32_t payload_offset() const;
};

struct Quarantined {
  Digest id;
  ChunkPlace place;
  WallTime when{};
  std::string why;
};

/// Changes of the index that become durable together.
class IndexBatch {
 public:
  void put_chunk(const Digest& id, const ChunkPlace& place);
  void put_inline(const Digest& id, ByteView bytes);
  void erase_chunk(const Digest& id, const ChunkPlace& place);
  void put_pack(std::uint32_t pack, const PackRow& row);
  /// The pack's own row. What was to be punched in it is left for reclaiming to find gone.
  void erase_pack(std::uint32_t pack);
  void put_inline_row(const InlineRow& row);
  void put_next_pack(std::uint32_t number);
  void put_freed(const FreedRow& row);
  void erase_freed(const FreedRow& row);
  void put_quarantined(std::uint64_t sequence, const Quarantined& chunk);
  void erase_quarantined(std::uint64_t sequence);
  void put_flag(std::string_view name);
  void erase_flag(std::string_view name);

  bool empty() const { return batch_.empty(); }
  const DatabaseBatch& raw() const { return batch_; }

 private:
  DatabaseBatch batch_;
};

// Flags in the database. On disk: never reuse a name.
inline constexpr std::string_view kFlagStoreMade = "store/made";
inline constexpr std::string_view kFlagRebuilding = "store/rebuilding";

class ChunkIndex {
 public:
  explicit ChunkIndex(Database& database) : database_(database) {}

  Database& database() const { return database_; }
  /// Durable when it returns.
  Result<void> commit(const IndexBatch& batch) {
    return batch.empty() ? Result<void>{} : database_.write(batch.raw());
  }

  Result<std::optional<ChunkPlace>> find(const Digest& id) const;
  Result<std::optional<Bytes>> inline_bytes(const Digest& id) const;
  /// Every chunk held all through the call, in digest order, until `row` returns false; of those
  /// that come or go meanwhile, some. `row` may write.
  Result<void> each_chunk(const std::function<bool(const Digest&, const ChunkPlace&)>& row) const;

  Result<std::map<std::uint32_t, PackRow>> packs() const;
  /// Forgets every pack and what is to be punched in it, in many steps: what a rebuild begins with.
  Result<void> erase_packs();
  Result<InlineRow> inline_row() const;
  Result<std::uint32_t> next_pack() const;
  /// In order of pack and offset, at most `max`, from (`pack`, `begin`) on.
  Result<std::vector<FreedRow>> freed(std::uint32_t pack, std::uint32_t begin,
                                      std::size_t max) const;
  /// By sequence number, oldest first.
  Result<std::map<std::uint64_t, Quarantined>> quarantined() const;
  Result<bool> flag(std::string_view name) const;

 private:
  Database& database_;
};

}  // namespace farboot
