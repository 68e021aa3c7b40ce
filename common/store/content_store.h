// Chunks named by their SHA-256.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/manifest.h"

namespace farboot {

/// Chunks of at most this many bytes lie inline in the database; larger ones in pack files.
inline constexpr std::size_t kInlineBytesMax = 16 * 1024;

/// Where a held chunk's bytes are, so that they can go out by sendfile(2). Keeps them readable
/// while it lives: an open response pins its chunk even if the sweep forgets it meanwhile.
struct ChunkSource {
  int fd = -1;  ///< of the pack file, or -1 if `inline_bytes` holds the chunk
  std::uint64_t offset = 0;
  std::uint32_t size_bytes = 0;
  std::shared_ptr<const Bytes> inline_bytes;
  std::shared_ptr<const void> lease;  ///< keeps fd open and the bytes unpunched
};

struct StoreUsage {
  std::uint64_t chunks = 0;
  std::uint64_t payload_bytes = 0;  ///< of all held chunks
  std::uint64_t disk_bytes = 0;     ///< allocated on the file system
  std::uint64_t budget_bytes = 0;   ///< most that may be allocated
  std::uint64_t free_bytes = 0;     ///< what may still be stored: budget and reserve respected
};

/// Thread-safe. May block on the disk: never call from the loop.
class ContentStore {
 public:
  struct Chunk {
    Digest id;
    ByteView bytes;
  };

  virtual ~ContentStore() = default;

  /// The bytes named `id`, verified. Errors: not_found; corrupt if what is stored no longer hashes
  /// to `id` (the chunk is then quarantined: no longer held).
  virtual Result<Bytes> get(const Digest& id) const = 0;

  /// Keeps the chunks, all durable when this returns: one fdatasync and one synced index write for
  /// the batch. Putting a chunk twice is harmless and costs nothing. Each chunk 1 … kChunkBytesMax
  /// bytes. Errors: mismatch (nothing of the batch is kept), exhausted (budget, reserve or disk
  /// full; numbers in the text).
  virtual Result<void> put(std::span<const Chunk> chunks) = 0;
  Result<void> put(const Digest& id, ByteView bytes) {
    const Chunk one{id, bytes};
    return put(std::span(&one, 1));
  }

  /// Those of `ids` not held, in the order given, each once.
  virtual Result<std::vector<Digest>> missing(std::span<const Digest> ids) const = 0;

  /// The chunk for serving. Checked against its digest on first use since the store was opened,
  /// then trusted. Errors: not_found, corrupt (quarantined).
  virtual Result<ChunkSource> open(const Digest& id) const = 0;

  /// What open() gives, of a chunk whose bytes are known to be good and to lie in a pack file that
  /// is open; nullopt of any other, which says nothing about it: ask open(). Never blocks: may be
  /// called on the loop.
  virtual std::optional<ChunkSource> open_at_once(const Digest& id) const = 0;

  /// True if open() needs no disk read to check `id`: held, and checked since the store was opened.
  /// Never blocks.
  virtual bool checked(const Digest& id) const = 0;

  /// Reads the chunk back from the disk (not from what was remembered) and hashes it.
  /// Errors: not_found, corrupt (quarantined).
  virtual Result<void> verify(const Digest& id) = 0;
  /// The same of many, in the order in which they lie on the disk. Returns those that are not held
  /// or were not right (quarantined), in the order given. Errors: of the first that could not be
  /// asked for another reason.
  virtual Result<std::vector<Digest>> verify_all(std::span<const Digest> ids);

  /// Frees every chunk for which `keep` is false, in small steps: index entry deleted durably
  /// first, then the bytes are punched once no ChunkSource holds them. Returns bytes freed. Chunks
  /// put after the sweep began are kept. `keep` must not call the store.
  virtual Result<std::uint64_t> sweep(const std::function<bool(const Digest&)>& keep) = 0;

  virtual Result<StoreUsage> usage() const = 0;
};

/// Puts root and parts. Returns the manifest's digest.
Result<Digest> put_manifest(ContentStore& store, const Manifest& manifest);
/// Errors: not_found (with the first missing part), invalid, corrupt.
Result<Manifest> get_manifest(const ContentStore& store, const Digest& digest);
/// Every chunk the tree needs: root, parts, then the files' chunks, each once, in file order.
Result<std::vector<ChunkRef>> manifest_closure(const ContentStore& store, const Digest& digest);

}  // namespace farboot
