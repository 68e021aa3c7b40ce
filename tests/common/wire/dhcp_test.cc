#include "common/wire/dhcp.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dhcp_text.h"
#include "tests/support/golden.h"

namespace farboot::dhcp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A packet with these bytes in its option field.
Bytes with_options(const Bytes& options, std::uint8_t op = 1) {
  Bytes bytes(kHeaderBytes, 0);
  bytes[0] = op;
  bytes[1] = 1;
  bytes[2] = 6;
  const std::array<std::uint8_t, 4> cookie = {0x63, 0x82, 0x53, 0x63};
  std::copy(cookie.begin(), cookie.end(), bytes.begin() + 236);
  bytes.insert(bytes.end(), options.begin(), options.end());
  return bytes;
}

Packet decoded(const Bytes& options) {
  auto packet = decode(with_options(options));
  EXPECT_TRUE(packet) << packet.error().what;
  return packet ? *packet : Packet{};
}

Bytes text_option(std::uint8_t option_code, std::string_view text) {
  Bytes bytes = {option_code, static_cast<std::uint8_t>(text.size())};
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

TEST(DhcpGolden, EveryPacketDecodesAndSurvivesEncoding) {
  for (const std::string& name : golden::names("dhcp", ".hex")) {
    SCOPED_TRACE(name);
    const auto packet = decode(golden::read_hex(golden::folder("dhcp") / (name + ".hex")));
    ASSERT_TRUE(packet) << packet.error().what;
    const auto bytes = encode(*packet, 1472);
    ASSERT_TRUE(bytes) << bytes.error().what;
    const auto again = decode(*bytes);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(describe(*again), describe(*packet));
    EXPECT_EQ(*again, *packet);
  }
}

TEST(DhcpGolden, EveryTruncationIsRefusedOrLosesWholeOptionsOnly) {
  for (const std::string& name : golden::names("dhcp", ".hex")) {
    SCOPED_TRACE(name);
    const Bytes whole = golden::read_hex(golden::folder("dhcp") / (name + ".hex"));
    const auto full = decode(whole);
    ASSERT_TRUE(full);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      // Of its own size on the heap: AddressSanitizer sees a read beyond it.
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto packet = decode(cut);
      ASSERT_TRUE(size >= kHeaderBytes || !packet);
      if (!packet) {
        EXPECT_EQ(packet.error().code, Errc::invalid);
        continue;
      }
      // Option 60 in pieces may lose its second one; everything else is whole or not there.
      for (const Option& option : packet->options) {
        const auto same = std::find_if(full->options.begin(), full->options.end(),
                                       [&](const Option& o) { return o.code == option.code; });
        ASSERT_NE(same, full->options.end());
        EXPECT_TRUE(std::equal(option.value.begin(), option.value.end(), same->value.begin()));
      }
    }
  }
}

TEST(DhcpDecode, RefusesWhatIsNoPacketOfAnEthernetClient) {
  const Bytes good = with_options({53, 1, 1, 255});
  ASSERT_TRUE(decode(good));
  for (const auto& [at, value] : std::vector<std::pair<std::size_t, std::uint8_t>>{
           {0, 0}, {0, 3}, {1, 6}, {2, 0}, {2, 16}, {236, 0}, {239, 0x64}}) {
    Bytes bad = good;
    bad[at] = value;
    EXPECT_EQ(decode(bad).error().code, Errc::invalid) << at;
  }
}

TEST(DhcpDecode, RefusesAnOptionThatRunsOverTheEnd) {
  for (const Bytes& options :
       std::vector<Bytes>{{53}, {53, 1}, {60, 5, 'a', 'b', 'c', 'd'}, {53, 1, 1, 60, 255}})
    EXPECT_EQ(decode(with_options(options)).error().code, Errc::invalid);
}

TEST(DhcpDecode, ForgivesAMissingEndAndPads) {
  EXPECT_EQ(decoded({0, 0, 53, 1, 1, 0, 0}).message_type(), MessageType::discover);
  EXPECT_EQ(decoded({}).message_type(), std::nullopt);
}

TEST(DhcpDecode, StopsAtTheEnd) { EXPECT_EQ(decoded({53, 1, 1, 255, 60, 200}).options.size(), 1U); }

TEST(DhcpDecode, JoinsAnOptionInPieces) {
  EXPECT_EQ(decoded({60, 3, 'P', 'X', 'E', 53, 1, 1, 60, 2, 'C', 'l'}).class_id(), "PXECl");
}

TEST(DhcpDecode, ReadsOverloadedFieldsInTheirOrder) {
  Bytes bytes = with_options({52, 1, 3, 60, 1, 'o', 255});
  const Bytes in_file = {60, 1, 'f', 53, 1, 1, 255};
  const Bytes in_sname = {60, 1, 's', 93, 2, 0, 7, 255};
  std::copy(in_file.begin(), in_file.end(), bytes.begin() + 108);
  std::copy(in_sname.begin(), in_sname.end(), bytes.begin() + 44);
  const auto packet = decode(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->class_id(), "ofs");
  EXPECT_EQ(packet->message_type(), MessageType::discover);
  EXPECT_THAT(packet->architectures(), ElementsAre(7));
  EXPECT_EQ(packet->file, "");
  EXPECT_EQ(packet->sname, "");
  EXPECT_FALSE(packet->find(code::kOverload));
}

TEST(DhcpDecode, RefusesABrokenOverload) {
  EXPECT_FALSE(decode(with_options({52, 1, 4, 255})));
  EXPECT_FALSE(decode(with_options({52, 2, 1, 1, 255})));
  Bytes bytes = with_options({52, 1, 1, 255});
  std::fill(bytes.begin() + 108, bytes.begin() + 236, 0x41);  // option 65 of 65 bytes, twice
  EXPECT_FALSE(decode(bytes));
}

TEST(DhcpDecode, ReadsTextFieldsThatFillTheirPlace) {
  Bytes bytes = with_options({53, 1, 1, 255});
  std::fill(bytes.begin() + 108, bytes.begin() + 236, 'f');
  EXPECT_EQ(decode(bytes).value().file, std::string(128, 'f'));
}

TEST(DhcpPacket, ReadsUserClassesInBothSpellings) {
  EXPECT_THAT(decoded(text_option(77, "iPXE")).user_classes(), ElementsAre("iPXE"));
  EXPECT_THAT(decoded(text_option(77, "\x04iPXE")).user_classes(), ElementsAre("iPXE"));
  EXPECT_THAT(decoded(text_option(77, "\x04iPXE\x02xy")).user_classes(), ElementsAre("iPXE", "xy"));
  EXPECT_THAT(decoded(text_option(77, "\x05iPXE")).user_classes(), ElementsAre("\x05iPXE"));
  EXPECT_THAT(decoded({}).user_classes(), IsEmpty());
}

TEST(DhcpPacket, FallsBackToTheArchitectureInTheClassId) {
  EXPECT_THAT(decoded({93, 4, 0, 1, 0, 7}).architectures(), ElementsAre(1, 7));
  EXPECT_THAT(decoded(text_option(60, "PXEClient:Arch:00011:UNDI:003000")).architectures(),
              ElementsAre(11));
  for (const char* bad : {"PXEClient", "PXEClient:Arch:", "PXEClient:Arch:0011",
                          "PXEClient:Arch:0x011:UNDI", "PXEClient:Arch:99999:UNDI"})
    EXPECT_THAT(decoded(text_option(60, bad)).architectures(), IsEmpty()) << bad;
}

TEST(DhcpPacket, ReadsIpxeFeatures) {
  const auto features =
      decoded({175, 14, 0xb1, 1, 9, 0x13, 1, 1, 0x27, 1, 0, 0xeb, 3, 1, 21, 1}).ipxe_features();
  ASSERT_TRUE(features);
  EXPECT_TRUE(features->has(ipxe::kHttp));
  EXPECT_FALSE(features->has(ipxe::kMenu));  // present, but off
  EXPECT_EQ(features->version, "1.21.1");
  EXPECT_FALSE(decoded({175, 2, 0x13, 9}).ipxe_features());
  EXPECT_FALSE(decoded({}).ipxe_features());
}

TEST(DhcpPacket, LimitsTheReplyToWhatTheClientTakes) {
  EXPECT_EQ(decoded({}).reply_bytes_max(), 548U);
  EXPECT_EQ(decoded({57, 2, 0x04, 0xec}).reply_bytes_max(), 1260U - 28);
  EXPECT_EQ(decoded({57, 2, 0, 64}).reply_bytes_max(), 548U);
  EXPECT_EQ(decoded({57, 2, 0xff, 0xff}).reply_bytes_max(), 1472U - 28);
  EXPECT_EQ(decoded({57, 1, 9}).reply_bytes_max(), 548U);
}

TEST(DhcpPacket, TypedValuesOfImpossibleLengthAreAbsent) {
  EXPECT_EQ(decoded({53, 2, 1, 1}).message_type(), std::nullopt);
  EXPECT_EQ(decoded({53, 1, 9}).message_type(), std::nullopt);
  EXPECT_EQ(decoded({54, 3, 1, 2, 3}).server_id(), std::nullopt);
}

TEST(DhcpEncode, PadsToBootpsMinimumAndPutsNoPadsBetweenOptions) {
  Packet packet;
  packet.op = Op::reply;
  packet.options = {{53, {2}}, {60, to_bytes("PXEClient")}};
  const auto bytes = encode(packet, 548);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), kReplyBytesMin);
  EXPECT_EQ(to_hex(ByteView(*bytes).subspan(kHeaderBytes, 16)), "3501023c09505845436c69656e74ff00");
}

TEST(DhcpEncode, CutsALongValueIntoPieces) {
  Packet packet;
  packet.options = {{82, Bytes(300, 7)}};
  const auto bytes = encode(packet, 1472);
  ASSERT_TRUE(bytes);
  EXPECT_EQ((*bytes)[kHeaderBytes + 1], 255);
  EXPECT_EQ((*bytes)[kHeaderBytes + 2 + 255 + 1], 45);
  EXPECT_EQ(decode(*bytes).value(), packet);
}

TEST(DhcpEncode, RefusesWhatDoesNotFit) {
  Packet packet;
  packet.options = {{82, Bytes(255, 7)}, {43, Bytes(255, 7)}};
  EXPECT_EQ(encode(packet, 548).error().code, Errc::exhausted);
  EXPECT_TRUE(encode(packet, 1444));
  packet.file = std::string(128, 'x');
  EXPECT_EQ(encode(packet, 1444).error().code, Errc::invalid);
  packet.file = std::string(127, 'x');
  EXPECT_TRUE(encode(packet, 1444));
  packet.options = {{52, {1}}};
  EXPECT_EQ(encode(packet, 1444).error().code, Errc::invalid);
}

TEST(DhcpSubOptions, RoundTripAndBounds) {
  const std::vector<Option> options = {{6, {8}}, {71, {0, 0, 0, 0}}};
  const auto bytes = encode_sub_options(options);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(to_hex(*bytes), "060108470400000000ff");
  EXPECT_EQ(decode_sub_options(*bytes).value(), options);
  const Bytes pads = {0, 6, 1, 8, 0};
  EXPECT_EQ(decode_sub_options(pads).value().size(), 1U);
  const Bytes over = {6, 2, 8};
  EXPECT_FALSE(decode_sub_options(over));
  EXPECT_FALSE(encode_sub_options({{1, Bytes(256, 0)}}));
}

TEST(Address, ParsesOnlyWhatItPrints) {
  EXPECT_EQ(Ipv4::parse("10.0.0.1").value(), Ipv4::of(10, 0, 0, 1));
  EXPECT_EQ(Ipv4::of(255, 0, 10, 1).to_string(), "255.0.10.1");
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1..2.3", "01x.2.3.4", "1.2.3.4 "})
    EXPECT_FALSE(Ipv4::parse(bad)) << bad;
  EXPECT_EQ(Mac::parse("52-54-00-AB-cd-01").value().to_string(), "52:54:00:ab:cd:01");
  for (const char* bad : {"", "52:54:00:ab:cd", "52:54:00:ab:cd:0g", "5254.00ab.cd01"})
    EXPECT_FALSE(Mac::parse(bad)) << bad;
}

TEST(Address, KnowsNetworks) {
  const Ipv4 own = Ipv4::of(10, 1, 2, 3);
  EXPECT_TRUE(own.same_network(Ipv4::of(10, 1, 2, 200), 24));
  EXPECT_FALSE(own.same_network(Ipv4::of(10, 1, 3, 3), 24));
  EXPECT_TRUE(own.same_network(Ipv4::of(192, 0, 2, 1), 0));
  EXPECT_FALSE(own.same_network(Ipv4::of(10, 1, 2, 4), 32));
  EXPECT_FALSE(Ipv4::of(127, 0, 0, 1).is_unicast());
  EXPECT_FALSE(Ipv4::of(239, 1, 1, 1).is_unicast());
}

}  // namespace
}  // namespace farboot::dhcp
