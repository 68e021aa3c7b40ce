// A file as blocks, read in large pieces: the next one while this one goes out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "agent/tftp/file_source.h"

namespace farboot {

/// Blocks are numbered from 1; the last one is shorter than the others, perhaps empty.
class Blocks {
 public:
  /// Borrows `file`. Pieces hold whole blocks, at least one.
  Blocks(TftpFile& file, std::uint32_t block_bytes, std::size_t piece_bytes);

  std::uint64_t count() const { return size_bytes_ / block_bytes_ + 1; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  /// Bytes of the blocks up to `block`, which is at most count().
  std::uint64_t bytes_up_to(std::uint64_t block) const;

  /// Waits for the piece that holds `block` unless it is there; keeps the one before only while it
  /// holds blocks from `keep_from` on. Behind the middle of a piece the next one is begun, so that
  /// never more than two are held. Returns the number of blocks from `block` on that `at` now
  /// gives. Errors: the file's; corrupt if it is shorter than it said.
  Task<Result<std::uint64_t>> load(std::uint64_t block, std::uint64_t keep_from);
  /// One of the blocks loaded last. The view holds until the next load().
  ByteView at(std::uint64_t block) const;
  /// Waits until nothing reads the file any more. Needed before the file may go.
  Task<void> settle();

 private:
  struct Ahead;
  struct Piece {
    std::uint64_t first_block = 0;  ///< 0: holds nothing
    Bytes bytes;
  };
  std::uint64_t blocks_per_piece() const { return piece_bytes_ / block_bytes_; }
  bool holds(const Piece& piece, std::uint64_t block) const;
  std::uint64_t piece_of(std::uint64_t block) const {
    return (block - 1) / blocks_per_piece() * blocks_per_piece() + 1;
  }
  Task<Result<Bytes>> read(std::uint64_t first_block);
  Task<Result<Bytes>> take(std::uint64_t first_block);
  static Task<void> read_ahead(Blocks& blocks, std::shared_ptr<Ahead> ahead);
  Task<void> begin_ahead(std::uint64_t block);

  TftpFile& file_;
  std::uint64_t size_bytes_;
  std::uint32_t block_bytes_;
  std::size_t piece_bytes_;
  std::array<Piece, 2> pieces_;   ///< the first is the most recently used
  std::shared_ptr<Ahead> ahead_;  ///< the piece being read, or read and not yet taken
};

}  // namespace farboot
