#include "agent/tftp/negotiate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TftpTransfer ask(std::vector<tftp::Option> options, std::uint64_t size_bytes = 1000) {
  tftp::Request request;
  request.path = "x";
  request.options = std::move(options);
  return negotiate(request, size_bytes, {});
}

TEST(TftpNegotiate, AnswersInTheClientsOrderAndSpelling) {
  const auto terms = ask({{"TSize", "0"}, {"blksize", "1468"}, {"windowsize", "4"}}, 5'000'000'000);
  EXPECT_THAT(terms.oack,
              ElementsAre(tftp::Option{"TSize", "5000000000"}, tftp::Option{"blksize", "1468"},
                          tftp::Option{"windowsize", "4"}));
  EXPECT_EQ(terms.block_bytes, 1468U);
  EXPECT_EQ(terms.window_blocks, 4U);
}

TEST(TftpNegotiate, NeverGrantsMoreThanAsked) {
  EXPECT_THAT(ask({{"blksize", "1024"}, {"windowsize", "2"}}).oack,
              ElementsAre(tftp::Option{"blksize", "1024"}, tftp::Option{"windowsize", "2"}));
  EXPECT_THAT(ask({{"blksize", "65464"}, {"windowsize", "65535"}}).oack,
              ElementsAre(tftp::Option{"blksize", "1468"}, tftp::Option{"windowsize", "64"}));
}

TEST(TftpNegotiate, LeavesOutWhatIsOutOfRange) {
  for (const char* value : {"7", "0", "-1", "+512", " 512", "0x200", "5e2", "", "1468 "}) {
    const auto terms = ask({{"blksize", value}});
    EXPECT_THAT(terms.oack, IsEmpty()) << value;
    EXPECT_EQ(terms.block_bytes, 512U);
  }
  EXPECT_THAT(ask({{"windowsize", "0"}, {"windowsize", "65536"}, {"timeout", "0"}}).oack,
              IsEmpty());
  EXPECT_THAT(
      ask({{"timeout", "256"}, {"utimeout", "5"}, {"rollover", "0"}, {"multicast", ""}}).oack,
      IsEmpty());
}

TEST(TftpNegotiate, AnswersADoubledOptionOnce) {
  EXPECT_THAT(ask({{"blksize", "1024"}, {"BLKSIZE", "512"}}).oack,
              ElementsAre(tftp::Option{"blksize", "1024"}));
}

TEST(TftpNegotiate, EchoesTheTimeoutAndUsesIt) {
  const auto terms = ask({{"timeout", "5"}});
  EXPECT_THAT(terms.oack, ElementsAre(tftp::Option{"timeout", "5"}));
  EXPECT_EQ(terms.timing.first_resend, Seconds(5));
}

/// A minute between two packets would hold a session for minutes; the client copes without.
TEST(TftpNegotiate, LeavesOutATimeoutLongerThanWeWouldWait) {
  for (const char* value : {"9", "60", "255"}) {
    const auto terms = ask({{"timeout", value}, {"tsize", "0"}});
    EXPECT_THAT(terms.oack, ElementsAre(tftp::Option{"tsize", "1000"})) << value;
    EXPECT_EQ(terms.timing.first_resend, TftpTiming().first_resend);
  }
  EXPECT_THAT(ask({{"timeout", "8"}}).oack, ElementsAre(tftp::Option{"timeout", "8"}));
}

TEST(TftpNegotiate, IsAsPatientAsTheTimeoutAsksFor) {
  tftp::Request request;
  request.path = "x";
  request.options = {{"timeout", "8"}};
  TftpCaps caps;
  caps.timing.silence_max = Seconds(10);
  EXPECT_EQ(negotiate(request, 1, caps).timing.silence_max, Seconds(24));
}

TEST(TftpNegotiate, TellsTheSizeOfAnEmptyFile) {
  EXPECT_THAT(ask({{"tsize", "0"}}, 0).oack, ElementsAre(tftp::Option{"tsize", "0"}));
}

}  // namespace
}  // namespace farboot
