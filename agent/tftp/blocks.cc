#include "agent/tftp/blocks.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace farboot {

Blocks::Blocks(TftpFile& file, std::uint32_t block_bytes, std::size_t piece_bytes)
    : file_(file),
      size_bytes_(file.size_bytes()),
      block_bytes_(block_bytes),
      piece_bytes_(std::max<std::size_t>(piece_bytes / block_bytes, 1) * block_bytes) {}

std::uint64_t Blocks::bytes_up_to(std::uint64_t block) const {
  return std::min(block * block_bytes_, size_bytes_);
}

bool Blocks::holds(const Piece& piece, std::uint64_t block) const {
  return piece.first_block != 0 && block >= piece.first_block &&
         block < piece.first_block + blocks_per_piece();
}

Task<Result<std::uint64_t>> Blocks::load(std::uint64_t block, std::uint64_t keep_from) {
  if (!holds(pieces_[0], block)) {
    std::swap(pieces_[0], pieces_[1]);
    if (!holds(pieces_[0], block)) {
      const std::uint64_t first = (block - 1) / blocks_per_piece() * blocks_per_piece() + 1;
      const std::uint64_t offset = (first - 1) * block_bytes_;
      const auto wanted =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes_, size_bytes_ - offset));
      Bytes bytes;
      if (wanted > 0) {
        pieces_[0] = Piece{};  // its memory is free again before the next piece takes some
        auto read = co_await file_.read(offset, wanted);
        if (!read) co_return read.error();
        if (read->size() != wanted)
          co_return fail(Errc::corrupt, "file: {} bytes at {}, not {}", read->size(), offset,
                         wanted);
        bytes = std::move(*read);
      }
      pieces_[0].first_block = first;
      pieces_[0].bytes = std::move(bytes);
    }
  }
  if (pieces_[1].first_block + blocks_per_piece() <= keep_from) pieces_[1] = Piece{};
  const std::uint64_t end = std::min(pieces_[0].first_block + blocks_per_piece(), count() + 1);
  co_return end - block;
}

ByteView Blocks::at(std::uint64_t block) const {
  FARBOOT_CHECK(holds(pieces_[0], block));
  const auto offset = static_cast<std::size_t>((block - pieces_[0].first_block) * block_bytes_);
  const ByteView bytes = pieces_[0].bytes;
  return bytes.subspan(offset, std::min<std::size_t>(block_bytes_, bytes.size() - offset));
}

}  // namespace farboot
