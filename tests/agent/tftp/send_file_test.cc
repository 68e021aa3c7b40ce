#include "agent/tftp/send_file.h"

#include <tuple>

#include <gtest/gtest.h>

#include "tests/support/fake_tftp_file.h"
#include "tests/support/lossy_peer.h"
#include "tests/support/run_task.h"

namespace farboot {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TftpTransfer plain(std::uint32_t block_bytes = 512, std::uint32_t window_blocks = 1) {
  TftpTransfer terms;
  terms.block_bytes = block_bytes;
  terms.window_blocks = window_blocks;
  return terms;
}

TftpTransfer with_oack(std::uint32_t block_bytes, std::uint32_t window_blocks) {
  TftpTransfer terms = plain(block_bytes, window_blocks);
  terms.oack = {{.name = "blksize", .value = std::to_string(block_bytes)},
                {.name = "windowsize", .value = std::to_string(window_blocks)}};
  return terms;
}

Result<std::uint64_t> send(TftpPeer& peer, TftpFile& file, TftpTransfer terms) {
  return run_task(send_file(peer, file, std::move(terms)));
}

TEST(TftpSendFile, EndsWithAShortBlock) {
  FakeTftpFile file(1200);
  LossyPeer peer({}, {});
  const auto sent = send(peer, file, plain());
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_EQ(*sent, 1200U);
  EXPECT_EQ(peer.sent().size(), 3U);
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(1200));
}

TEST(TftpSendFile, EndsAWholeNumberOfBlocksWithAnEmptyOne) {
  for (const std::uint64_t size : {0U, 512U, 1024U}) {
    FakeTftpFile file(size);
    LossyPeer peer({}, {});
    ASSERT_TRUE(send(peer, file, plain()));
    EXPECT_EQ(peer.sent().size(), size / 512 + 1);
    EXPECT_EQ(peer.sent().back().bytes.size(), tftp::kHeaderBytes);
    EXPECT_TRUE(peer.complete());
  }
}

TEST(TftpSendFile, WrapsBlockNumberAfter65535) {
  const std::uint64_t size = 70'000ULL * 8 + 3;
  for (const std::uint32_t window : {1U, 16U, 64U}) {
    FakeTftpFile file(size);
    LossyPeer peer({}, {.block_bytes = 8, .window_blocks = window});
    const auto sent = send(peer, file, plain(8, window));
    ASSERT_TRUE(sent) << sent.error().what;
    EXPECT_EQ(*sent, size);
    EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(size)) << "windowsize " << window;
    EXPECT_EQ(peer.sent().size(), 70'001U);
  }
}

TEST(TftpSendFile, SendsTheOackOnceAndWaits) {
  FakeTftpFile file(5000);
  LossyPeer peer({}, {.block_bytes = 1468, .window_blocks = 4, .asked_options = true});
  ASSERT_TRUE(send(peer, file, with_oack(1468, 4)));
  EXPECT_EQ(peer.sent_count(tftp::Opcode::oack), 1U);
  EXPECT_EQ(tftp::opcode(peer.sent().front().bytes), tftp::Opcode::oack);
  EXPECT_GE(peer.sent()[1].when - peer.sent()[0].when, milliseconds(1));  // a round trip
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(5000));
}

TEST(TftpSendFile, SendsALostOackAgain) {
  FakeTftpFile file(100);
  LossyPeer peer({}, {.asked_options = true});
  peer.lose = [](ByteView, std::size_t number) { return number == 1; };
  ASSERT_TRUE(send(peer, file, with_oack(512, 1)));
  EXPECT_EQ(peer.sent_count(tftp::Opcode::oack), 2U);
}

TEST(TftpSendFile, IgnoresDuplicateAcksWithoutWindows) {
  FakeTftpFile file(512 * 200);
  LossyPeer peer({.seed = 7, .twice = 1}, {});
  ASSERT_TRUE(send(peer, file, plain()));
  EXPECT_EQ(peer.sent().size(), 201U);  // one DATA for each block: no sorcerer's apprentice
}

TEST(TftpSendFile, ResendsAfterAFewRoundTripsNotASecond) {
  FakeTftpFile file(512 * 100);
  LossyPeer peer({.one_way = microseconds(500)}, {.resend = milliseconds(60'000)});
  peer.lose = [](ByteView, std::size_t number) { return number == 50; };
  ASSERT_TRUE(send(peer, file, plain()));
  EXPECT_EQ(peer.sent().size(), 102U);
  EXPECT_LT(peer.elapsed(), milliseconds(101 + 50));
}

/// Karn's rule: which of the two the client answered is not known.
TEST(TftpSendFile, LearnsNoShortTripFromAnAnswerToOneOfTwoSendings) {
  FakeTftpFile file(512 * 3);
  LossyPeer peer({.one_way = microseconds(500)}, {.resend = milliseconds(60'000)});
  peer.lose = [](ByteView, std::size_t number) { return number == 1 || number == 3; };
  ASSERT_TRUE(send(peer, file, plain()));
  ASSERT_GE(peer.sent().size(), 4U);
  EXPECT_EQ(peer.sent()[1].when - peer.sent()[0].when, milliseconds(1000));
  EXPECT_GT(peer.sent()[3].when - peer.sent()[2].when, milliseconds(1001));  // the trip at most
}

/// U-Boot ignores a block it has already and repeats its ACK by its own timer only.
TEST(TftpSendFile, OutlivesALostAckOfAClientThatRepeatsAfterFiveSeconds) {
  FakeTftpFile file(512 * 40);
  LossyPeer peer({}, {.resend = milliseconds(5000)});
  bool lost = false;
  peer.lose_answer = [&lost](ByteView packet) {
    const auto ack = tftp::decode_ack(packet);
    return ack && ack->block == 20 && !std::exchange(lost, true);
  };
  ASSERT_TRUE(send(peer, file, plain()));
  EXPECT_TRUE(lost);
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * 40));
  EXPECT_LE(peer.sent().size(), 41U + 12U);  // ever rarer while nothing is heard
}

/// A switch with little room: windows that arrive at once do not fit, and sending them again and
/// again would carry each block many times.
TEST(TftpSendFile, SendsALossyWindowInSmallerBursts) {
  constexpr std::uint64_t kBlocks = 64 * 60;
  FakeTftpFile file(512 * kBlocks - 1);
  LossyPeer peer({.queue_packets = 16, .packet_time = microseconds(50)},
                 {.window_blocks = 64, .asked_options = true});
  const auto sent = send(peer, file, with_oack(512, 64));
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * kBlocks - 1));
  EXPECT_LT(peer.sent().size(), 2 * kBlocks) << peer.sent().size();
}

TEST(TftpSendFile, LearnsThatThePathBecameSlower) {
  FakeTftpFile file(512 * 300);
  LossyPeer peer({.one_way = microseconds(500)}, {.resend = milliseconds(60'000)});
  peer.lose = [&peer](ByteView, std::size_t number) {
    if (number == 100) peer.set_one_way(milliseconds(100));
    return false;
  };
  ASSERT_TRUE(send(peer, file, plain()));
  EXPECT_LT(peer.sent().size(), 301U + 20U);
}

TEST(TftpSendFile, GoesOnBehindTheBlockTheClientHas) {
  FakeTftpFile file(512 * 64);
  LossyPeer peer({}, {.window_blocks = 16, .resend = milliseconds(60'000)});
  peer.lose = [](ByteView, std::size_t number) { return number == 8; };
  ASSERT_TRUE(send(peer, file, plain(512, 16)));
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * 64));
  // Blocks 9 to 16 and nothing else a second time.
  EXPECT_LE(peer.sent().size(), 65U + 9U);
  EXPECT_LT(peer.elapsed(), milliseconds(30));
}

TEST(TftpSendFile, RestartsOnceForManyEqualAcks) {
  FakeTftpFile file(512 * 160);
  LossyPeer peer({},
                 {.window_blocks = 16, .acks_every_stray = true, .resend = milliseconds(60'000)});
  peer.lose = [](ByteView, std::size_t number) { return number == 20; };
  ASSERT_TRUE(send(peer, file, plain(512, 16)));
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * 160));
  EXPECT_LE(peer.sent().size(), 161U + 2 * 16U);  // EDK2's repeated ACKs start no storm
}

/// A queue builds up, and a window goes out twice: what the client says of the second copy must not
/// send a third.
TEST(TftpSendFile, SendsAFewWindowsTwiceWhenThePathBecomesSlower) {
  for (const int one_way :
       {2, 5, 8, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 80, 90, 100, 120, 150, 200, 300})
    for (const bool every : {false, true}) {
      FakeTftpFile file(512 * 3200);
      LossyPeer peer({}, {.window_blocks = 16,
                          .acks_every_stray = every,
                          .acks_last_again = !every,
                          .resend = milliseconds(60'000)});
      peer.lose = [&](ByteView, std::size_t number) {
        if (number == 320) peer.set_one_way(milliseconds(one_way));
        return false;
      };
      ASSERT_TRUE(send(peer, file, plain(512, 16)));
      EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * 3200));
      EXPECT_LE(peer.sent().size(), 3201U + 8 * 16U) << one_way << " ms, " << every;
    }
}

/// What a client reports of a window that went out again is put off, never forgotten: a line that
/// loses one packet in ten still carries a loader in seconds. Bounds of the line's own clock.
TEST(TftpSendFile, GetsThroughALineThatLosesMuch) {
  constexpr std::uint64_t kBlocks = 2000;
  for (const double drop : {0.05, 0.1})
    for (const std::uint32_t window : {4U, 16U, 64U})
      for (const int client : {0, 1, 2})
        for (const std::uint32_t seed : {1U, 2U, 3U}) {
          FakeTftpFile file(512 * kBlocks - 1);
          LossyPeer peer({.seed = seed, .drop = drop, .one_way = microseconds(500)},
                         {.window_blocks = window,
                          .asked_options = true,
                          .acks_every_stray = client == 1,
                          .acks_last_again = client == 2,
                          .resend = milliseconds(1000)});
          const auto sent = send(peer, file, with_oack(512, window));
          ASSERT_TRUE(sent) << sent.error().what;
          EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * kBlocks - 1));
          // Who passes over doubles repeats a lost ACK by its own timer of a second only.
          EXPECT_LT(peer.elapsed(), Seconds(client == 0 ? 150 : 10))
              << drop << ", window " << window << ", client " << client << ", seed " << seed;
        }
}

TEST(TftpSendFile, ResendsTheLostEndOfAWindow) {
  for (const int client : {0, 1, 2}) {
    FakeTftpFile file(512 * 640);
    LossyPeer peer({}, {.window_blocks = 16,
                        .acks_every_stray = client == 1,
                        .acks_last_again = client == 2,
                        .resend = milliseconds(60'000)});
    peer.lose = [](ByteView, std::size_t number) { return number == 32; };
    ASSERT_TRUE(send(peer, file, plain(512, 16)));
    EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * 640));
    EXPECT_LT(peer.elapsed(), milliseconds(100));
    EXPECT_LE(peer.sent().size(), 641U + 3 * 16U) << client;
  }
}

TEST(TftpSendFile, GivesUpAClientThatNeverAnsweredAfterSixSends) {
  FakeTftpFile file(5000);
  LossyPeer peer({}, {.silent = true});
  const auto sent = send(peer, file, plain());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::timeout);
  EXPECT_EQ(peer.sent().size(), 6U);
  EXPECT_EQ(peer.sent_count(tftp::Opcode::error), 0U);
}

TEST(TftpSendFile, GivesUpAClientThatFellSilent) {
  FakeTftpFile file(512 * 100);
  LossyPeer peer({}, {.silent_at_block = 50});
  const auto sent = send(peer, file, plain());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::timeout);
  EXPECT_GE(peer.elapsed(), milliseconds(30'000));
  EXPECT_LE(peer.elapsed(), milliseconds(40'000));
  EXPECT_LT(peer.sent().size(), 50U + 20U);
  EXPECT_EQ(peer.sent_count(tftp::Opcode::error), 0U);
}

TEST(TftpSendFile, EndsSilentlyOnTheClientsError) {
  FakeTftpFile file(512 * 100);
  LossyPeer peer({}, {.error_at_block = 1});
  const auto sent = send(peer, file, plain());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::cancelled);
  EXPECT_EQ(peer.sent().size(), 1U);
}

TEST(TftpSendFile, TellsTheClientThatTheFileCannotBeRead) {
  FakeTftpFile file(512 * 2000);
  file.fails_at = 512 * 1000;
  LossyPeer peer({}, {});
  const auto sent = send(peer, file, plain());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::corrupt);
  EXPECT_EQ(peer.sent_count(tftp::Opcode::error), 1U);
}

TEST(TftpSendFile, TakesTheClientsTimeoutAsItsFirst) {
  FakeTftpFile file(100);
  LossyPeer peer({}, {.resend = milliseconds(60'000)});
  peer.lose = [](ByteView, std::size_t number) { return number == 1; };
  TftpTransfer terms = plain();
  terms.timing.first_resend = milliseconds(5000);
  ASSERT_TRUE(send(peer, file, terms));
  ASSERT_EQ(peer.sent().size(), 2U);
  EXPECT_EQ(peer.sent()[1].when - peer.sent()[0].when, milliseconds(5000));
}

TEST(TftpSendFile, SendsTheLastBlockAgainWhileItLingers) {
  FakeTftpFile file(700);
  LossyPeer peer({}, {});
  bool delivered = false;
  TftpTransfer terms = plain();
  terms.delivered = [&] {
    delivered = true;
    const auto ack = tftp::encode_ack(1);
    peer.inject({ack.begin(), ack.end()}, microseconds(500));
  };
  ASSERT_TRUE(send(peer, file, terms));
  EXPECT_TRUE(delivered);
  EXPECT_EQ(peer.sent().size(), 3U);
}

TEST(TftpSendFile, IgnoresPacketsThatSayNothing) {
  FakeTftpFile file(512 * 10);
  LossyPeer peer({}, {});
  const std::vector<Bytes> junk = {{}, {0}, {0, 4}, {0, 4, 0}, {0, 9, 1, 1}, {0, 3, 0, 1, 7}};
  for (const Bytes& packet : junk) peer.inject(packet, microseconds(700));
  const auto ahead = tftp::encode_ack(9);
  peer.inject({ahead.begin(), ahead.end()}, microseconds(800));
  ASSERT_TRUE(send(peer, file, plain()));
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(512 * 10));
}

TEST(TftpSendFile, ReadsAheadInLargePiecesEachOnce) {
  FakeTftpFile file(3'000'000);
  LossyPeer peer({}, {.block_bytes = 1468, .window_blocks = 16});
  ASSERT_TRUE(send(peer, file, plain(1468, 16)));
  EXPECT_EQ(file.reads.size(), 12U);  // of 256 KiB, cut to whole blocks
}

TEST(TftpSendFile, KeepsAWindowWithinOneRoundTrip) {
  FakeTftpFile file(1468ULL * 16 * 100 - 1);
  LossyPeer peer({.one_way = microseconds(2500)}, {.block_bytes = 1468, .window_blocks = 16});
  ASSERT_TRUE(send(peer, file, plain(1468, 16)));
  EXPECT_LE(peer.elapsed(), milliseconds(100 * 5 + 60));  // and the linger at the end
}

using Lossy = std::tuple<std::uint32_t, std::uint32_t>;  // seed, windowsize
class TftpOverALossyLine : public testing::TestWithParam<Lossy> {};

TEST_P(TftpOverALossyLine, DeliversEveryByte) {
  const auto [seed, window] = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  FakeTftpFile file(200'000);
  LossyPeer peer({.seed = seed, .drop = 0.1, .twice = 0.1, .reorder = 0.1},
                 {.block_bytes = 512,
                  .window_blocks = window,
                  .asked_options = true,
                  .acks_every_stray = seed % 2 == 0});
  const auto sent = send(peer, file, with_oack(512, window));
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_EQ(*sent, 200'000U);
  EXPECT_EQ(peer.content(), FakeTftpFile::bytes_of(200'000));
  EXPECT_LT(peer.elapsed(), milliseconds(60'000));
}

INSTANTIATE_TEST_SUITE_P(Seeds, TftpOverALossyLine,
                         testing::Combine(testing::Range(1U, 9U),
                                          testing::Values(1U, 4U, 16U, 64U)));

}  // namespace
}  // namespace farboot
