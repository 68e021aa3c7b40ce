// A client that has its lease looks for its boot server: PXE 2.1 §2.2.5.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/dhcp/decide.h"
#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

TEST(DhcpDiscovery, AnswersBroadcastBootServerDiscovery) {
  const auto [reply, packet] = told(answer_to("plain_rom_broadcast_discovery_request"));
  EXPECT_EQ(packet.message_type(), MessageType::ack);
  EXPECT_EQ(packet.file, "undionly.kpxe");
  EXPECT_EQ(to_hex(*packet.find(code::kVendorSpecific)), "060108470400000000ff");
  EXPECT_EQ(packet.ciaddr, Ipv4::of(10, 77, 0, 60));
  EXPECT_EQ(reply.to, Ipv4::of(10, 77, 0, 60)) << "it has an address by now";
  EXPECT_EQ(reply.to_port, 68);
}

TEST(DhcpDiscovery, AnswersMulticastBootServerDiscovery) {
  const auto [reply, packet] = told(answer_to("plain_rom_4011_multicast_discovery_request"));
  EXPECT_EQ(packet.message_type(), MessageType::ack);
  EXPECT_EQ(packet.file, "undionly.kpxe");
  EXPECT_EQ(reply.to, Ipv4::of(10, 77, 0, 60));
}

TEST(DhcpDiscovery, BroadcastsToAClientThatHidesItsAddress) {
  const Packet request = golden_request("plain_rom_broadcast_discovery_request");
  const Reply reply = told(decide(request, arrival_of(""), {}, every_loader())).reply;
  EXPECT_EQ(reply.to, Ipv4::broadcast());
  EXPECT_EQ(reply.to_port, 68);
}

TEST(DhcpDiscovery, GoesBackByTheRelayItCameBy) {
  Packet request = golden_request("plain_rom_broadcast_discovery_request");
  request.giaddr = Ipv4::of(10, 99, 0, 1);
  Arrival arrival = arrival_of("discovery");
  arrival.source = request.giaddr;
  const Reply reply = told(decide(request, arrival, {}, every_loader())).reply;
  EXPECT_EQ(reply.to, Ipv4::of(10, 99, 0, 1));
  EXPECT_EQ(reply.to_port, 67);
}

TEST(DhcpDiscovery, LeavesDiscoveryOfAnotherTypeAlone) {
  const Packet request = golden_request("plain_rom_discovery_of_another_type_request");
  EXPECT_EQ(silent(answer_to("plain_rom_discovery_of_another_type_request")),
            Why::other_boot_server);
  EXPECT_EQ(silent(decide(request, arrival_of("_4011_multicast_discovery"), {}, every_loader())),
            Why::other_boot_server);
  // A menu that names our address for an item of its own means us.
  EXPECT_EQ(silent(decide(request, arrival_of("_4011_discovery"), {}, every_loader())),
            std::nullopt);
}

TEST(DhcpDiscovery, TheChoiceOfALeaseIsNone) {
  Packet request = golden_request("plain_rom_broadcast_discovery_request");
  request.options.push_back({code::kServerId, {10, 77, 0, 1}});
  EXPECT_EQ(silent(decide(request, arrival_of("discovery"), {}, every_loader())), Why::not_ours);
  request.options.pop_back();
  std::erase_if(request.options, [](const Option& o) { return o.code == code::kVendorSpecific; });
  EXPECT_EQ(silent(decide(request, arrival_of("discovery"), {}, every_loader())), Why::not_ours);
}

TEST(DhcpDiscovery, RepeatsOneItemOnly) {
  Packet request = golden_request("intel_rom_4011_boot_item_request");
  for (Option& option : request.options)
    if (option.code == code::kVendorSpecific)
      option.value = {71, 4, 0, 0, 0, 0, 71, 4, 0, 0, 0, 9, 71, 4, 0, 0, 0, 8, 255};
  const auto packet = told(decide(request, arrival_of("_4011_"), {}, every_loader())).packet;
  EXPECT_EQ(to_hex(*packet.find(code::kVendorSpecific)), "060108470400000000ff");
}

TEST(DhcpDiscovery, UefiGetsItsFileInBothPlaces) {
  Packet request = golden_request("edk2_x64_4011_request");
  request.options.push_back({code::kVendorSpecific, {71, 4, 0, 0, 0, 0, 255}});
  std::erase_if(request.options, [](const Option& o) { return o.code == code::kServerId; });
  const auto packet = told(decide(request, arrival_of("discovery"), {}, every_loader())).packet;
  EXPECT_EQ(packet.file, "snponly.efi");
  EXPECT_TRUE(packet.find(code::kBootFile));
}

}  // namespace
}  // namespace farboot::dhcp
