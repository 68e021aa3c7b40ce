#include "agent/tftp/blocks.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/check.h"

// g++ 12 sees no constructor where a coroutine returns an empty variant.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace farboot {
namespace {

namespace asio = boost::asio;

}  // namespace

struct Blocks::Ahead {
  Ahead(const asio::any_io_executor& executor, std::uint64_t first)
      : first_block(first), done(executor, asio::steady_timer::time_point::max()) {}

  std::uint64_t first_block;
  std::optional<Result<Bytes>> result;
  asio::steady_timer done;
};

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

/// The bytes of the piece that begins with `first_block`.
Task<Result<Bytes>> Blocks::read(std::uint64_t first_block) {
  const std::uint64_t offset = (first_block - 1) * block_bytes_;
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes_, size_bytes_ - offset));
  if (wanted == 0) co_return Bytes();
  auto bytes = co_await file_.read(offset, wanted);
  if (!bytes) co_return bytes.error();
  if (bytes->size() != wanted)
    co_return fail(Errc::corrupt, "file: {} bytes at {}, not {}", bytes->size(), offset, wanted);
  co_return std::move(*bytes);
}

Task<void> Blocks::read_ahead(Blocks& blocks, std::shared_ptr<Ahead> ahead) {
  // Whatever happens (a library may throw), whoever waits is told.
  struct Finish {
    Ahead& ahead;
    ~Finish() {
      if (!ahead.result) ahead.result = fail(Errc::internal, "file: reading ahead failed");
      ahead.done.cancel();
    }
  };
  const Finish finish{*ahead};
  ahead->result = co_await blocks.read(ahead->first_block);
}

/// Begins the piece behind that of `block`, if it is time to.
Task<void> Blocks::begin_ahead(std::uint64_t block) {
  const Piece& now = pieces_[0];
  const std::uint64_t next = now.first_block + blocks_per_piece();
  const bool time = block - now.first_block >= blocks_per_piece() / 2;
  if (!time || next > count() || ahead_ || pieces_[1].first_block != 0) co_return;
  const auto executor = co_await asio::this_coro::executor;
  ahead_ = std::make_shared<Ahead>(executor, next);
  asio::co_spawn(executor, read_ahead(*this, ahead_), [](const std::exception_ptr&) {});
}

Task<void> Blocks::settle() {
  if (!ahead_ || ahead_->result) co_return;
  boost::system::error_code ignored;
  co_await ahead_->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

/// The piece read ahead, or read now.
Task<Result<Bytes>> Blocks::take(std::uint64_t first_block) {
  co_await settle();  // the file is read by one at a time
  const auto ahead = std::exchange(ahead_, nullptr);
  if (ahead && ahead->result && ahead->first_block == first_block)
    co_return std::move(*ahead->result);
  co_return co_await read(first_block);
}

Task<Result<std::uint64_t>> Blocks::load(std::uint64_t block, std::uint64_t keep_from) {
  if (!holds(pieces_[0], block)) {
    std::swap(pieces_[0], pieces_[1]);
    if (!holds(pieces_[0], block)) {
      pieces_[0] = Piece{};  // its memory is free again before the next piece takes some
      auto bytes = co_await take(piece_of(block));
      if (!bytes) co_return bytes.error();
      pieces_[0] = {.first_block = piece_of(block), .bytes = std::move(*bytes)};
    }
  }
  if (pieces_[1].first_block + blocks_per_piece() <= keep_from) pieces_[1] = Piece{};
  co_await begin_ahead(block);
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
