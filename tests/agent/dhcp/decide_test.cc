#include "agent/dhcp/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

using testing::ElementsAre;

std::vector<int> codes(const Packet& packet) {
  std::vector<int> codes;
  for (const Option& option : packet.options) codes.push_back(option.code);
  return codes;
}

// --- what every answer has

TEST(DhcpDecide, EveryReplyFollowsTheRulesOfTheWire) {
  Policy policy;
  policy.raspberry_pi_roms = true;
  int replies = 0;
  for (const std::string& name : golden::names("dhcp", ".hex")) {
    if (name.ends_with(".reply")) continue;
    SCOPED_TRACE(name);
    const Packet request = golden_request(name);
    const Decision decision = answer_to(name, policy);
    if (silent(decision)) continue;
    ++replies;
    const auto [reply, packet] = told(decision);
    EXPECT_GE(reply.packet.size(), 300U);
    EXPECT_LE(reply.packet.size(), request.reply_bytes_max());
    EXPECT_EQ(packet.op, Op::reply);
    EXPECT_EQ(packet.xid, request.xid);
    EXPECT_EQ(packet.flags, request.flags);
    EXPECT_EQ(packet.chaddr, request.chaddr);
    EXPECT_EQ(packet.giaddr, request.giaddr);
    EXPECT_EQ(packet.secs, 0);
    EXPECT_EQ(packet.hops, 0);
    EXPECT_TRUE(packet.yiaddr.is_zero());  // we never give an address
    EXPECT_EQ(packet.siaddr, Ipv4::of(10, 77, 0, 2));
    EXPECT_EQ(packet.server_id(), Ipv4::of(10, 77, 0, 2));
    ASSERT_FALSE(packet.options.empty());
    EXPECT_EQ(packet.options.front().code, code::kMessageType);
    for (const int never : {1, 3, 6, 15, 28, 51, 58, 59, 61, 175})
      EXPECT_FALSE(packet.find(static_cast<std::uint8_t>(never))) << never;
    EXPECT_EQ(packet.find(code::kMachineGuid).has_value(),
              request.find(code::kMachineGuid).has_value());
    if (const auto guid = request.find(code::kMachineGuid)) {
      EXPECT_TRUE(std::equal(guid->begin(), guid->end(), packet.find(code::kMachineGuid)->begin(),
                             packet.find(code::kMachineGuid)->end()));
    }
    if (const auto file = packet.find(code::kBootFile)) {
      EXPECT_EQ(file->back(), 0);
    }
    EXPECT_EQ(packet.class_id(), request.class_id().substr(0, packet.class_id().size()));
  }
  EXPECT_GE(replies, 20);
}

// --- what each kind of request gets, row by row

TEST(DhcpDecide, BiosTakesTheFileOfTheOffer) {
  const auto [reply, packet] = told(answer_to("intel_rom_discover"));
  EXPECT_EQ(packet.message_type(), MessageType::offer);
  EXPECT_EQ(packet.file, "undionly.kpxe");
  EXPECT_EQ(packet.sname, "10.77.0.2");
  EXPECT_EQ(packet.class_id(), "PXEClient");
  EXPECT_EQ(to_hex(*packet.find(code::kVendorSpecific)), "060108ff");
  EXPECT_THAT(codes(packet), ElementsAre(53, 54, 60, 97, 43));
  EXPECT_EQ(reply.to, Ipv4::broadcast());
  EXPECT_EQ(reply.to_port, 68);
}

TEST(DhcpDecide, BiosThatAsksOn4011GetsTheSameAsAck) {
  const auto [reply, packet] = told(answer_to("intel_rom_4011_request"));
  EXPECT_EQ(packet.message_type(), MessageType::ack);
  EXPECT_EQ(packet.file, "undionly.kpxe");
  EXPECT_EQ(packet.ciaddr, Ipv4::of(10, 77, 0, 60));
  EXPECT_EQ(reply.to, Ipv4::of(10, 77, 0, 86));  // where it came from
  EXPECT_EQ(reply.to_port, 68);
}

TEST(DhcpDecide, RepeatsTheBootItemAskedFor) {
  const auto packet = told(answer_to("intel_rom_4011_boot_item_request")).packet;
  EXPECT_EQ(to_hex(*packet.find(code::kVendorSpecific)), "060108470400000000ff");
}

TEST(DhcpDecide, UefiIsToldToAskAgain) {
  const auto packet = told(answer_to("edk2_x64_discover")).packet;
  EXPECT_EQ(packet.message_type(), MessageType::offer);
  EXPECT_EQ(packet.file, "snponly.efi");
  EXPECT_FALSE(packet.find(code::kVendorSpecific));
}

TEST(DhcpDecide, UefiGetsItsFileOn4011AtThePortItAskedFrom) {
  const auto [reply, packet] = told(answer_to("edk2_x64_4011_request"));
  EXPECT_EQ(packet.message_type(), MessageType::ack);
  EXPECT_EQ(packet.file, "snponly.efi");
  EXPECT_EQ(as_text(*packet.find(code::kBootFile)), std::string_view("snponly.efi\0", 12));
  EXPECT_FALSE(packet.find(code::kVendorSpecific));
  EXPECT_EQ(reply.to_port, 4011);
}

TEST(DhcpDecide, UefiTakesTheFileOfTheOfferWhereTheSiteSaysSo) {
  Policy policy;
  policy.uefi_style = ReplyStyle::one_shot;
  const auto [reply, packet] = told(answer_to("edk2_x64_discover", policy));
  EXPECT_EQ(reply.style, ReplyStyle::one_shot);
  EXPECT_EQ(to_hex(*packet.find(code::kVendorSpecific)), "060108ff");
  EXPECT_EQ(packet.file, "snponly.efi");
}

TEST(DhcpDecide, IpxeGetsTheScript) {
  for (const char* name : {"qemu_bios_ipxe_discover", "debian_efi_ipxe_discover",
                           "flexboot_discover", "ipxe_user_class_list_discover"}) {
    SCOPED_TRACE(name);
    const auto [reply, packet] = told(answer_to(name));
    EXPECT_EQ(reply.kind, ClientKind::ipxe);
    EXPECT_EQ(packet.file, "http://10.77.0.2/boot.ipxe");
    EXPECT_EQ(packet.class_id(), "PXEClient");
    EXPECT_FALSE(packet.find(code::kVendorSpecific));
  }
}

TEST(DhcpDecide, IpxeGetsTheScriptOn4011Too) {
  const auto packet = told(answer_to("debian_efi_ipxe_4011_request")).packet;
  EXPECT_EQ(packet.message_type(), MessageType::ack);
  EXPECT_EQ(packet.file, "http://10.77.0.2/boot.ipxe");
}

TEST(DhcpDecide, NamesThePortIfItIsNot80) {
  Policy policy;
  policy.http_port = 8080;
  policy.script_path = "my.ipxe";
  EXPECT_EQ(file_for("qemu_bios_ipxe_discover", policy), "http://10.77.0.2:8080/my.ipxe");
}

TEST(DhcpDecide, AnIpxeThatCannotRunOurScriptGetsAFullOneFirst) {
  const auto [reply, packet] = told(answer_to("gpxe_discover"));
  EXPECT_EQ(reply.kind, ClientKind::ipxe_limited);
  EXPECT_EQ(packet.file, "tftp://10.77.0.2/full-ipxe/undionly.kpxe");
}

TEST(DhcpDecide, HttpBootGetsAUrlInBothPlaces) {
  const auto packet = told(answer_to("edk2_x64_http_discover")).packet;
  EXPECT_EQ(packet.class_id(), "HTTPClient");
  EXPECT_EQ(packet.file, "http://10.77.0.2/snponly.efi");
  EXPECT_EQ(as_text(*packet.find(code::kBootFile)),
            std::string_view("http://10.77.0.2/snponly.efi\0", 29));
  EXPECT_FALSE(packet.find(code::kVendorSpecific));
}

TEST(DhcpDecide, TheClassTellsTheArchitectureIfNothingElseDoes) {
  EXPECT_EQ(file_for("class_only_discover"), "snponly.efi");
}

TEST(DhcpDecide, TakesTheFirstArchitectureItKnows) {
  const auto packet = told(answer_to("arch_list_discover")).packet;  // PC-98, then x64
  EXPECT_EQ(packet.file, "snponly.efi");
  EXPECT_FALSE(packet.find(code::kVendorSpecific));  // answered as UEFI
}

TEST(DhcpDecide, FallsBackToTheNextNameOfTheRow) {
  EXPECT_EQ(file_for("edk2_x64_discover", {}, FakeLoaders({"ipxe.efi"})), "ipxe.efi");
}

TEST(DhcpDecide, NoLoaderIsSilence) {
  const FakeLoaders none{std::vector<std::string>{}};
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", {}, none)), Why::no_loader);
  EXPECT_EQ(silent(answer_to("aavmf_arm64_discover", {}, FakeLoaders({"snponly.efi"}))),
            Why::no_loader);
  EXPECT_EQ(silent(answer_to("edk2_x64_http_discover", {}, none)), Why::no_loader);
  // A script needs none.
  EXPECT_EQ(file_for("qemu_bios_ipxe_discover", {}, none), "http://10.77.0.2/boot.ipxe");
}

// --- who is left alone

TEST(DhcpDecide, PlainDhcpIsLeftAlone) {
  EXPECT_EQ(silent(answer_to("dhclient_discover")), Why::not_pxe);
  EXPECT_EQ(silent(answer_to("dhclient_request")), Why::not_pxe);
  EXPECT_EQ(silent(answer_to("anaconda_discover")), Why::not_pxe);
  EXPECT_EQ(silent(answer_to("mac_bsdp_inform", {.quirks = {}})), Why::message_type);
}

TEST(DhcpDecide, TheClassIsComparedExactly) {
  Packet request = golden_request("edk2_x64_discover");
  for (const char* name : {"pxeclient:Arch:00007", "PXEClien", "XPXEClient", ""}) {
    for (Option& option : request.options)
      if (option.code == code::kClassId) option.value = to_bytes(name);
    EXPECT_EQ(silent(decide(request, arrival_of(""), {}, every_loader())), Why::not_pxe) << name;
  }
}

TEST(DhcpDecide, RequestsOn67SelectALeaseThatIsNotOurs) {
  EXPECT_EQ(silent(answer_to("edk2_x64_request")), Why::not_ours);
  EXPECT_EQ(silent(answer_to("qemu_bios_ipxe_request")), Why::not_ours);
}

TEST(DhcpDecide, DiscoverAndHttpBootHaveNoBusinessOn4011) {
  EXPECT_EQ(
      silent(decide(golden_request("edk2_x64_discover"), arrival_of("_4011_"), {}, every_loader())),
      Why::not_ours);
  Packet http = golden_request("edk2_x64_http_discover");
  http.options.front().value = {3};
  EXPECT_EQ(silent(decide(http, arrival_of("_4011_"), {}, every_loader())), Why::not_ours);
}

TEST(DhcpDecide, RepliesAndOtherMessagesAreNoRequests) {
  Packet packet = golden_request("edk2_x64_discover");
  packet.op = Op::reply;
  EXPECT_EQ(silent(decide(packet, arrival_of(""), {}, every_loader())), Why::not_a_request);
  packet.op = Op::request;
  for (const std::uint8_t type : {2, 4, 5, 6, 7, 8}) {
    packet.options.front().value = {type};
    EXPECT_EQ(silent(decide(packet, arrival_of(""), {}, every_loader())), Why::message_type);
  }
  packet.options.erase(packet.options.begin());  // plain BOOTP
  EXPECT_EQ(silent(decide(packet, arrival_of(""), {}, every_loader())), Why::message_type);
}

TEST(DhcpDecide, RelaysGetTheReplyOnTheirServerPort) {
  const Packet request = golden_request("relayed_uefi_x64_discover");
  const auto [reply, packet] = told(answer_to("relayed_uefi_x64_discover"));
  EXPECT_EQ(reply.to, Ipv4::of(10, 99, 0, 1));
  EXPECT_EQ(reply.to_port, 67);
  EXPECT_EQ(packet.options.back().code, code::kRelayAgent);
  EXPECT_EQ(to_hex(packet.options.back().value), to_hex(*request.find(code::kRelayAgent)));
}

TEST(DhcpDecide, ARelayThatCannotBeOneIsReflection) {
  Packet request = golden_request("relayed_uefi_x64_discover");
  for (const Ipv4 relay : {Ipv4::broadcast(), Ipv4::of(239, 1, 1, 1), Ipv4::of(127, 0, 0, 1),
                           Ipv4::of(0, 0, 0, 7), Ipv4::of(10, 77, 0, 2)}) {
    request.giaddr = relay;
    EXPECT_EQ(silent(decide(request, arrival_of(""), {}, every_loader())), Why::reflected);
  }
}

TEST(DhcpDecide, WithoutAnAddressThereIsNothingToSay) {
  EXPECT_EQ(silent(decide(golden_request("edk2_x64_discover"), Arrival{}, {}, every_loader())),
            Why::no_address);
}

TEST(DhcpDecide, RaspberryPiRomsAreLeftAloneUnlessWanted) {
  for (const char* name : {"raspberry_pi4_rom_discover", "raspberry_pi3_rom_discover",
                           "raspberry_pi_arch41_discover", "raspberry_pi_blank_guid_discover"}) {
    EXPECT_EQ(silent(answer_to(name)), Why::raspberry_pi);
    Policy policy;
    policy.raspberry_pi_roms = true;
    EXPECT_EQ(file_for(name, policy), "");
  }
}

TEST(DhcpDecide, APiWithUefiFirmwareIsANormalClient) {
  Packet request = golden_request("aavmf_arm64_discover");
  request.chaddr = {0xdc, 0xa6, 0x32, 1, 2, 3};
  const auto packet = told(decide(request, arrival_of(""), {}, every_loader())).packet;
  EXPECT_EQ(packet.file, "snponly-arm64.efi");
}

// --- sizes

TEST(DhcpDecide, ALongNameGoesIntoOption67Only) {
  Policy policy;
  policy.script_path = "/" + std::string(120, 'x');
  const auto packet = told(answer_to("qemu_bios_ipxe_discover", policy)).packet;
  EXPECT_EQ(packet.file, "");
  EXPECT_EQ(packet.find(code::kBootFile)->size(),
            std::string("http://10.77.0.2/").size() + 120 + 1);
}

TEST(DhcpDecide, LeavesOutTheCopyOfTheNameWhereItDoesNotFit) {
  Packet request = golden_request("edk2_x64_4011_request");
  std::erase_if(request.options, [](const Option& o) { return o.code == code::kMaxMessageSize; });
  request.options.push_back({code::kRelayAgent, Bytes(250, 1)});
  ASSERT_TRUE(
      told(decide(request, arrival_of("_4011_"), {}, every_loader())).packet.find(code::kBootFile));
  request.options.back().value.resize(258, 1);
  const auto packet = told(decide(request, arrival_of("_4011_"), {}, every_loader())).packet;
  EXPECT_FALSE(packet.find(code::kBootFile));
  EXPECT_EQ(packet.file, "snponly.efi");
  request.options.back().value.resize(400, 1);
  EXPECT_EQ(silent(decide(request, arrival_of("_4011_"), {}, every_loader())), Why::too_long);
}

}  // namespace
}  // namespace farboot::dhcp
