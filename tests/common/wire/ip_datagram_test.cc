#include "common/wire/ip_datagram.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

IpDatagram sample() {
  static const Bytes payload = to_bytes("abc");
  return {.from = Ipv4::of(10, 0, 0, 1),
          .from_port = 68,
          .to = Ipv4::broadcast(),
          .to_port = 67,
          .payload = payload};
}

/// The one's complement sum over words that include a right checksum is 0xffff.
std::uint32_t folded(ByteView bytes, std::uint32_t start) {
  for (std::size_t at = 0; at < bytes.size(); at += 2)
    start +=
        static_cast<std::uint32_t>(bytes[at] << 8) + (at + 1 < bytes.size() ? bytes[at + 1] : 0U);
  while (start > 0xffff) start = (start & 0xffff) + (start >> 16);
  return start;
}

TEST(IpDatagram, RoundTrips) {
  const auto bytes = encode_ip_datagram(sample());
  ASSERT_TRUE(bytes);
  const auto again = decode_ip_datagram(*bytes);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->from, sample().from);
  EXPECT_EQ(again->to, sample().to);
  EXPECT_EQ(again->from_port, 68);
  EXPECT_EQ(again->to_port, 67);
  EXPECT_EQ(as_text(again->payload), "abc");
}

TEST(IpDatagram, ChecksumsAreRight) {
  const Bytes bytes = encode_ip_datagram(sample()).value();
  EXPECT_EQ(folded(ByteView(bytes).first(20), 0), 0xffffU);
  const std::uint32_t pseudo = 17 + static_cast<std::uint32_t>(bytes.size()) - 20;
  const std::uint32_t words = folded(ByteView(bytes).subspan(12, 8), pseudo);
  EXPECT_EQ(folded(ByteView(bytes).subspan(20), words), 0xffffU);
  EXPECT_NE(to_hex(ByteView(bytes).subspan(26, 2)), "0000");
}

TEST(IpDatagram, IgnoresAFramesPadding) {
  Bytes bytes = encode_ip_datagram(sample()).value();
  bytes.resize(60, 0);
  EXPECT_EQ(as_text(decode_ip_datagram(bytes)->payload), "abc");
}

TEST(IpDatagram, RefusesEveryTruncationAndWrongLength) {
  const Bytes whole = encode_ip_datagram(sample()).value();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(decode_ip_datagram(cut).error().code, Errc::invalid);
  }
  const std::vector<std::pair<std::size_t, std::uint8_t>> wrong = {
      {0, 0x65}, {0, 0x44}, {0, 0x4f}, {2, 0xff}, {3, 20},
      {6, 0x20}, {7, 1},    {9, 6},    {24, 1},   {25, 7}};
  for (const auto& [at, value] : wrong) {
    Bytes bad = whole;
    bad[at] = value;
    EXPECT_FALSE(decode_ip_datagram(bad)) << at;
  }
}

TEST(IpDatagram, RefusesWhatIsTooLong) {
  const Bytes payload(65536, 0);
  IpDatagram datagram = sample();
  datagram.payload = payload;
  EXPECT_EQ(encode_ip_datagram(datagram).error().code, Errc::invalid);
}

}  // namespace
}  // namespace farboot
