// The bytes of a catalogued file: a range becomes pieces of chunks in the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/catalog/warm_chunks.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/store/content_store.h"

namespace farboot {

/// A piece of a file that lies in one chunk; what sendfile(2) wants to know.
struct BlobSegment {
  ChunkSource source;
  std::uint32_t offset = 0;  ///< within the chunk
  std::uint32_t size_bytes = 0;
  Digest chunk;
};

/// How much of a range is opened at once: enough that a hop to the disk pool costs nothing beside
/// the sending, little enough that a slow client pins little.
struct BlobWindowLimits {
  std::uint64_t bytes_max = 4u << 20;  ///< stop once this much is open
  std::uint64_t hashed_bytes_max = 1;  ///< stop once this much had to be checked first
  std::size_t segments_max = 128;      ///< leases held
};

/// One reader per transfer. It keeps the file's tree, and so the snapshot the transfer began with,
/// alive. Borrows the store. Not thread-safe: one call at a time, on any thread.
class BlobReader {
 public:
  /// Requires file.entry.
  BlobReader(const ContentStore& store, CatalogFile file);

  const CatalogFile& file() const { return file_; }
  std::uint64_t size_bytes() const { return file_.entry->size_bytes; }

  /// The first segments of `length` bytes from `offset`, their chunks checked and in memory as far
  /// as one can tell: at least one segment, then as many as `limits` allow. Requires a range inside
  /// the file, not empty. Blocks. Errors: those of ContentStore::open().
  Result<std::vector<BlobSegment>> open(std::uint64_t offset, std::uint64_t length,
                                        const BlobWindowLimits& limits = {});

  /// The same without asking the disk: as many segments from the first on as are known to be good
  /// and in memory; none if that is not known of the first. Never blocks: for the loop.
  std::vector<BlobSegment> open_at_once(std::uint64_t offset, std::uint64_t length,
                                        const BlobWindowLimits& limits, WarmChunks& warm,
                                        SteadyTime now);

  /// Of a chunk that could not be read though it was good once: looks again at the disk, so that
  /// the store takes it out and it is fetched anew. Blocks.
  void look_again(const Digest& chunk) const;

  /// The bytes from `offset`, at most `length`; fewer only at the end of the file, none beyond it.
  /// Keeps the chunk last used open, so that reading on is cheap. Blocks. Errors: as open();
  /// corrupt if the disk does not give the bytes back.
  Result<Bytes> read(std::uint64_t offset, std::size_t length);

 private:
  void seek(std::uint64_t offset);

  const ContentStore& store_;
  CatalogFile file_;
  std::size_t index_ = 0;              ///< the chunk that holds the offset last asked for
  std::uint64_t chunk_begin_ = 0;      ///< its offset in the file
  std::size_t open_index_ = SIZE_MAX;  ///< the chunk that `open_source_` is
  ChunkSource open_source_;
};

/// Copies the segment's bytes from `skip` on into `out`. Blocks. Errors: corrupt.
Result<void> copy_segment(const BlobSegment& segment, std::uint32_t skip,
                          std::span<std::uint8_t> out);

/// False if sendfile(2) from `skip` on would have to wait for the disk. Never blocks. Samples pages
/// of the next `window` bytes.
bool is_resident(const BlobSegment& segment, std::uint32_t skip, std::uint32_t window);

/// Reads what is not in memory of the segment from `skip` on. Blocks. Read errors are left to
/// whoever sends.
void make_resident(const BlobSegment& segment, std::uint32_t skip);

}  // namespace farboot
