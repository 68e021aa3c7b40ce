#include "common/wire/tftp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot::tftp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::string_literals;
using namespace std::string_view_literals;

Result<Request> request(std::string_view bytes) { return decode_request(as_bytes(bytes)); }

TEST(TftpRequest, DecodesEdk2sProbe) {
  const auto rrq =
      request("\0\1snponly.efi\0octet\0tsize\0000\0blksize\0001468\0windowsize\0004\0"sv);
  ASSERT_TRUE(rrq) << rrq.error().what;
  EXPECT_FALSE(rrq->write);
  EXPECT_EQ(rrq->path, "snponly.efi");
  EXPECT_EQ(rrq->mode, Mode::octet);
  EXPECT_THAT(rrq->options, ElementsAre(Option{"tsize", "0"}, Option{"blksize", "1468"},
                                        Option{"windowsize", "4"}));
}

TEST(TftpRequest, ReadsModesInAnyCase) {
  EXPECT_EQ(request("\0\1x\0OCTET\0"sv)->mode, Mode::octet);
  EXPECT_EQ(request("\0\1x\0NetASCII\0"sv)->mode, Mode::netascii);
  EXPECT_EQ(request("\0\1x\0mail\0"sv)->mode, Mode::other);
  EXPECT_TRUE(request("\0\2x\0octet\0"sv)->write);
}

TEST(TftpRequest, RefusesWhatDoesNotEnd) {
  for (const std::string_view bad :
       {""sv, "\0"sv, "\0\1"sv, "\0\1x"sv, "\0\1x\0"sv, "\0\1x\0octet"sv, "\0\1\0octet\0"sv,
        "\0\1x\0octet\0blksize\0"sv, "\0\1x\0octet\0blksize\000512"sv, "\0\1x\0octet\0\0x\0"sv,
        "\0\3x\0octet\0"sv, "\1\0x\0octet\0"sv})
    EXPECT_EQ(request(bad).error().code, Errc::invalid) << printable(bad);
}

TEST(TftpRequest, ForgivesZerosBehindIt) {
  EXPECT_THAT(request("\0\1x\0octet\0\0\0\0\0"sv)->options, IsEmpty());
}

TEST(TftpRequest, EveryTruncationIsRefusedOrLosesWholeOptions) {
  const auto whole = "\0\1boot/x\0octet\0blksize\0001432\0tsize\0000\0"sv;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut = to_bytes(whole.substr(0, size));
    const auto rrq = decode_request(cut);
    EXPECT_TRUE(!rrq || rrq->path == "boot/x");
  }
}

TEST(TftpRequest, HasLimits) {
  std::string many = "\0\1x\0octet\0"s;
  for (std::size_t i = 0; i <= kOptionsMax; ++i) many += "a\0b\0"sv;
  EXPECT_FALSE(request(many));
  EXPECT_FALSE(request("\0\1"s + std::string(1470, 'x') + "\0octet\0"s));
  EXPECT_TRUE(request("\0\1"s + std::string(1400, 'x') + "\0octet\0"s));
}

TEST(TftpRequest, RoundTrips) {
  Request rrq;
  rrq.path = "a b/\xffq";
  rrq.options = {{"BlkSize", "512"}};
  const auto again = decode_request(encode_request(rrq));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->path, rrq.path);
  EXPECT_EQ(again->options, rrq.options);
}

TEST(TftpPackets, RoundTrip) {
  const auto header = data_header(65535);
  Bytes data(header.begin(), header.end());
  data.push_back('x');
  EXPECT_EQ(decode_data(data)->block, 65535);
  EXPECT_EQ(as_text(decode_data(data)->payload), "x");
  const auto ack = encode_ack(258);
  EXPECT_EQ(decode_ack(ack)->block, 258);
  const auto error = decode_error(encode_error(ErrorCode::not_found, "no\nfile \xff"));
  EXPECT_EQ(error->code, 1);
  EXPECT_EQ(error->text, "no?file ?");
  const std::vector<Option> options = {{"tsize", "0"}};
  EXPECT_EQ(decode_oack(encode_oack(options))->options, options);
}

TEST(TftpPackets, DecodersCheckKindAndLength) {
  const auto ack = encode_ack(1);
  EXPECT_FALSE(decode_data(ack));
  EXPECT_FALSE(decode_error(ack));
  EXPECT_FALSE(decode_ack(ByteView(ack).first(3)));
  EXPECT_FALSE(decode_oack(as_bytes("\0\6blksize\0"sv)));
  EXPECT_EQ(opcode(as_bytes("\0\7"sv)), std::nullopt);
  EXPECT_EQ(opcode(as_bytes("\0\0"sv)), std::nullopt);
  EXPECT_EQ(decode_error(as_bytes("\0\5\0\0closed"sv))->text, "closed");  // GRUB ends without NUL
}

TEST(TftpPackets, OnlyAMissingFileIsCodeOne) {
  EXPECT_EQ(error_code(Errc::not_found), ErrorCode::not_found);
  EXPECT_EQ(error_code(Errc::denied), ErrorCode::access);
  EXPECT_EQ(error_code(Errc::invalid), ErrorCode::illegal);
  for (const Errc code : {Errc::unavailable, Errc::corrupt, Errc::exhausted, Errc::internal})
    EXPECT_EQ(error_code(code), ErrorCode::undefined);
}

TEST(TftpNumber, TakesPlainDecimalsOnly) {
  EXPECT_EQ(number("0"), 0U);
  EXPECT_EQ(number("18446744073709551615"), 18446744073709551615U);
  for (const char* bad : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1.5"})
    EXPECT_EQ(number(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace farboot::tftp
