// Several networks: each is answered from where it knows us, through the card it asked by.
#include <gtest/gtest.h>

#include "tests/agent/dhcp/served.h"

namespace farboot {
namespace {

using dhcp::MessageType;
using dhcp::Packet;

class DhcpServerOnTwoWires : public DhcpServerOnAWire {
 protected:
  /// The second card and the address of its other end.
  void add(const std::string& server_address, const std::string& client_address) {
    ASSERT_TRUE(net_.add_wire("server1", "client1"));
    bring_up("1", {server_address}, {client_address});
  }
};

TEST_F(DhcpServerOnTwoWires, EachNicAnswersWithItsOwnAddress) {
  add("10.66.0.2/24", "10.66.0.86/24");
  serve();
  const std::pair<const char*, Ipv4> wires[] = {{"client0", kServer},
                                                {"client1", Ipv4::of(10, 66, 0, 2)}};
  for (const auto& [device, us] : wires) {
    SCOPED_TRACE(device);
    const UdpClient client = this->client(68, device);
    client.send(golden_bytes("qemu_bios_ipxe_discover"), Ipv4::broadcast(), 67);
    const auto message = client.receive();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from, us);
    const auto packet = dhcp::decode(message->bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->server_id(), us);
    EXPECT_EQ(packet->siaddr, us);
    EXPECT_EQ(packet->sname, us.to_string());
    EXPECT_EQ(packet->file, "http://" + us.to_string() + "/boot.ipxe");
  }
  EXPECT_EQ(served_->counters().received, 2U) << "nobody was heard on both";
}

TEST_F(DhcpServerOnTwoWires, SameSubnetOnTwoNics) {
  // Two sites merged: the routing table knows the first way only.
  add("10.77.0.3/24", "10.77.0.87/24");
  serve();
  const Ipv4 us = Ipv4::of(10, 77, 0, 3);
  const UdpClient boot = client(68, "client1");
  boot.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(boot).siaddr, us);
  const UdpClient firmware = client(4011, "client1");
  firmware.send(golden_bytes("edk2_x64_4011_request"), us, 4011);
  const auto message = firmware.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, us);
  EXPECT_EQ(dhcp::decode(message->bytes)->siaddr, us);
}

TEST_F(DhcpServerOnTwoWires, AnswersAVlanOnce) {
  if (!Namespaces::run("ip link add link server0 name server0.7 type vlan id 7"))
    GTEST_SKIP() << "no VLANs in this kernel";
  in_client("ip link add link client0 name client0.7 type vlan id 7");
  bring_up("0.7", {"10.67.0.2/24"}, {"10.67.0.86/24"});
  for (const bool below : {false, true}) {
    SCOPED_TRACE(below);
    // With the port kept by another server we listen below it, where VLANs have parents.
    const UniqueFd neighbour = below ? without_sharing({}) : UniqueFd();
    ASSERT_EQ(static_cast<bool>(neighbour), below);
    serve();
    const UdpClient client = this->client(68, "client0.7");
    client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
    EXPECT_EQ(answer(client).siaddr, Ipv4::of(10, 67, 0, 2));
    // Packets of one sender stay in order: had the parent heard the first, it counted before.
    client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
    EXPECT_EQ(answer(client).siaddr, Ipv4::of(10, 67, 0, 2));
    EXPECT_EQ(served_->counters().received, 2U);
    served_.reset();
  }
}

}  // namespace
}  // namespace farboot
