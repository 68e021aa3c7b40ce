// Takes files as they are read: hashes each whole, cuts it, and puts the chunks the store lacks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "common/base/guarded.h"
#include "common/content/chunker.h"
#include "common/content/manifest.h"
#include "common/store/content_store.h"
#include "controller/import/meter.h"
#include "controller/import/tree_source.h"
#include "controller/import/worker.h"

namespace farboot {

/// One owner, one thread; it has two of its own, one that hashes and one that stores. Memory: at
/// most three batches and a few pieces, whatever the size of the files.
class Intake {
 public:
  enum class Mode : std::uint8_t {
    keep,     ///< puts what the store lacks
    measure,  ///< only counts what the store lacks
  };
  /// Borrows store and meter.
  Intake(ContentStore& store, Meter& meter, Mode mode);

  Result<void> begin(const SourceFile& file);
  Result<void> write(ByteView data);
  /// The same file once more from its first byte.
  void again();
  /// Errors: mismatch if size or checksum are not what `file` promised.
  Result<void> end();
  /// A file that need not be read: its chunks are held.
  Result<void> adopt(FileEntry entry);

  /// Waits until everything is stored. The files in the order they came.
  Result<std::vector<FileEntry>> finish();
  /// Bytes of chunks that the store lacked. After finish().
  std::uint64_t missing_bytes() const { return missing_bytes_; }
  /// The file that ended last.
  const FileEntry& last() const { return files_.back(); }
  const ContentStore& store() const { return store_; }
  Meter& meter() { return meter_; }

 private:
  using Piece = std::shared_ptr<const Bytes>;
  struct Cut {
    Digest id;
    ByteView bytes;
    Piece owner;
  };
  using Batch = std::vector<Cut>;

  Result<void> close_piece();
  Result<void> cut_by_content(const Piece& piece);
  Result<void> keep_chunk(ByteView bytes, Piece owner);
  Result<void> flush();
  void store_batch(const Batch& batch);
  Result<void> store_missing(const Batch& batch);
  Result<void> failure() const;
  void reset_file();

  ContentStore& store_;
  Meter& meter_;
  const Mode mode_;
  std::vector<FileEntry> files_;

  SourceFile file_;  ///< under way
  FileEntry entry_;
  Bytes piece_;                     ///< being filled
  std::uint64_t read_bytes_ = 0;    ///< of the file under way
  bool in_pieces_ = false;          ///< longer than one piece: hashed whole beside its chunks
  std::optional<Chunker> chunker_;  ///< if it is cut by content
  Sha256 whole_;                    ///< belongs to hashing_ while a file in pieces is under way

  Batch batch_;
  std::size_t batch_bytes_ = 0;
  std::unordered_set<Digest, DigestHash> counted_;  ///< measure: each chunk once
  std::uint64_t missing_bytes_ = 0;                 ///< belongs to storing_ until drained
  Guarded<std::optional<Error>> failed_;
  Worker hashing_;  // last members: their threads end before anything they use
  Worker storing_;
};

}  // namespace farboot
