// Files whose bytes take their time: the line must not wait for the disk at every piece.
#include <gtest/gtest.h>

#include <stdexcept>

#include <boost/asio/this_coro.hpp>

#include "agent/tftp/send_file.h"
#include "tests/support/fake_tftp_file.h"
#include "tests/support/lossy_peer.h"
#include "tests/support/run_task.h"

namespace farboot {
namespace {

constexpr std::uint32_t kBlockBytes = 1024;
constexpr std::size_t kPieceBlocks = 256;  // of 256 KiB

Task<void> turn() {
  const auto executor = co_await boost::asio::this_coro::executor;
  co_await boost::asio::post(executor, boost::asio::use_awaitable);
}

/// Lets others have their turn whenever the session listens, as a socket does.
class TurningPeer final : public TftpPeer {
 public:
  explicit TurningPeer(LossyPeer& inner) : inner_(inner) {}
  void send(std::span<const TftpPacket> packets) override { inner_.send(packets); }
  Task<TftpArrival> receive(SteadyTime deadline) override {
    co_await turn();
    co_return co_await inner_.receive(deadline);
  }
  SteadyTime now() const override { return inner_.now(); }

 private:
  LossyPeer& inner_;
};

/// Is done with a piece only when a quarter of one went out meanwhile, or nothing moves any more.
class SlowFile final : public TftpFile {
 public:
  SlowFile(std::uint64_t size, const LossyPeer& peer) : inner_(size), peer_(peer) {}
  ~SlowFile() override { EXPECT_EQ(reading_, 0) << "the file went while it was read"; }
  std::uint64_t size_bytes() const override { return inner_.size_bytes(); }
  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    EXPECT_EQ(++reading_, 1) << "one call at a time";
    const std::size_t before = peer_.sent().size();
    for (int i = 0; i < 2000 && peer_.sent().size() < before + kPieceBlocks / 4; ++i)
      co_await turn();
    sent_meanwhile.push_back(peer_.sent().size() - before);
    auto bytes = co_await inner_.read(offset, n);
    --reading_;
    co_return bytes;
  }
  int reading() const { return reading_; }
  std::vector<std::size_t> sent_meanwhile;  ///< for each piece

 private:
  FakeTftpFile inner_;
  const LossyPeer& peer_;
  int reading_ = 0;
};

TftpTransfer terms_of(std::uint32_t window) {
  TftpTransfer terms;
  terms.block_bytes = kBlockBytes;
  terms.window_blocks = window;
  return terms;
}

class TftpReadAhead : public testing::TestWithParam<std::uint32_t> {};

TEST_P(TftpReadAhead, SendsWhileTheNextPieceIsRead) {
  constexpr std::uint64_t kSize = 6 * kPieceBlocks * kBlockBytes - 5;
  LossyPeer line({}, {.block_bytes = kBlockBytes, .window_blocks = GetParam()});
  TurningPeer peer(line);
  SlowFile file(kSize, line);
  const auto sent = run_task(send_file(peer, file, terms_of(GetParam())));
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_EQ(line.content(), FakeTftpFile::bytes_of(kSize));
  ASSERT_EQ(file.sent_meanwhile.size(), 6U) << "each piece once";
  for (std::size_t i = 1; i < file.sent_meanwhile.size(); ++i)
    EXPECT_GE(file.sent_meanwhile[i], kPieceBlocks / 4) << "piece " << i;
}

TEST_P(TftpReadAhead, WaitsForTheReadThatIsUnderWay) {
  LossyPeer line({}, {.block_bytes = kBlockBytes,
                      .window_blocks = GetParam(),
                      .error_at_block = kPieceBlocks * 3 / 4});
  TurningPeer peer(line);
  {
    SlowFile file(6 * kPieceBlocks * kBlockBytes, line);
    const auto sent = run_task(send_file(peer, file, terms_of(GetParam())));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::cancelled);
    EXPECT_EQ(file.sent_meanwhile.size(), 2U) << "the second was begun";
  }
}

/// As a library may, in the middle of a transfer.
class ThrowingPeer final : public TftpPeer {
 public:
  ThrowingPeer(TftpPeer& inner, const LossyPeer& line) : inner_(inner), line_(line) {}
  void send(std::span<const TftpPacket> packets) override { inner_.send(packets); }
  Task<TftpArrival> receive(SteadyTime deadline) override {
    if (line_.sent().size() >= kPieceBlocks * 3 / 4) throw std::runtime_error("out of something");
    co_return co_await inner_.receive(deadline);
  }
  SteadyTime now() const override { return inner_.now(); }

 private:
  TftpPeer& inner_;
  const LossyPeer& line_;
};

TEST_P(TftpReadAhead, WaitsForTheReadThatIsUnderWayWhenSomethingThrows) {
  LossyPeer line({}, {.block_bytes = kBlockBytes, .window_blocks = GetParam()});
  TurningPeer turning(line);
  ThrowingPeer peer(turning, line);
  SlowFile file(6 * kPieceBlocks * kBlockBytes, line);
  bool thrown = false;
  const auto body = [&]() -> Task<bool> {
    try {
      static_cast<void>(co_await send_file(peer, file, terms_of(GetParam())));
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    // What was read ahead is done with: nothing of it may use the file from here on.
    EXPECT_EQ(file.reading(), 0);
    co_return true;
  };
  EXPECT_TRUE(run_task(body()));
  EXPECT_TRUE(thrown);
  EXPECT_EQ(file.sent_meanwhile.size(), 2U) << "the second was begun";
}

/// Loss makes the session go back into the piece before.
TEST_P(TftpReadAhead, DeliversEveryByteOverALossyLine) {
  constexpr std::uint64_t kSize = 4 * kPieceBlocks * kBlockBytes + 7;
  LossyPeer line({.seed = 3, .drop = 0.05, .reorder = 0.05},
                 {.block_bytes = kBlockBytes, .window_blocks = GetParam()});
  TurningPeer peer(line);
  SlowFile file(kSize, line);
  const auto sent = run_task(send_file(peer, file, terms_of(GetParam())));
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_EQ(line.content(), FakeTftpFile::bytes_of(kSize));
}

INSTANTIATE_TEST_SUITE_P(Windows, TftpReadAhead, testing::Values(1U, 16U, 64U));

}  // namespace
}  // namespace farboot
