// The server on a wire between two namespaces: who gets what, from where.
#include <gtest/gtest.h>

#include <set>

#include "tests/agent/dhcp/served.h"
#include "tests/support/eventually.h"
#include "tests/support/logged.h"

namespace farboot {
namespace {

using dhcp::MessageType;
using dhcp::Packet;

TEST_F(DhcpServerOnAWire, AnswersABroadcastByBroadcastFromPort67) {
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("dhclient_discover"), Ipv4::broadcast(), 67);
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kServer);
  EXPECT_EQ(message->from_port, 67);  // iPXE drops offers from any other
  const auto packet = dhcp::decode(message->bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->message_type(), MessageType::offer);
  EXPECT_EQ(packet->xid, dhcp::golden_request("edk2_x64_discover").xid);  // not the plain one's
  EXPECT_EQ(packet->server_id(), kServer);
  EXPECT_EQ(packet->siaddr, kServer);
  const auto counters = served_->counters();
  EXPECT_EQ(counters.offers, 1U);
  EXPECT_EQ(counters.received, 2U);  // each broadcast once, though two sockets see it
  EXPECT_EQ(counters.silent[static_cast<std::size_t>(dhcp::Why::not_pxe)], 1U);
}

TEST_F(DhcpServerOnAWire, AnswersEveryKindOfClient) {
  serve();
  const UdpClient client = this->client();
  for (const char* name : {"intel_rom_discover", "qemu_bios_ipxe_discover",
                           "edk2_x64_http_discover", "aavmf_arm64_discover"}) {
    SCOPED_TRACE(name);
    client.send(golden_bytes(name), Ipv4::broadcast(), 67);
    const auto message = client.receive();
    ASSERT_TRUE(message);
    // The golden answers were given by 10.77.0.2 as well.
    EXPECT_EQ(to_hex(message->bytes), to_hex(golden::read_hex(golden::folder("dhcp") /
                                                              (std::string(name) + ".reply.hex"))));
  }
}

TEST_F(DhcpServerOnAWire, AnswersRelaysAtTheirServerPortByUnicast) {
  serve();
  const UdpClient relay = client(67);
  relay.send(relayed_request(), kSecond, 67);
  const auto message = relay.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kSecond);  // the address it wrote to
  EXPECT_EQ(message->from_port, 67);
  const auto packet = dhcp::decode(message->bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->siaddr, kSecond);
  EXPECT_EQ(packet->giaddr, kClient);
}

TEST_F(DhcpServerOnAWire, Answers4011AtTheSecondAddressOfAnInterface) {
  serve();
  for (const Ipv4 asked : {kSecond, kServer}) {
    SCOPED_TRACE(asked.to_string());
    const UdpClient client = this->client(4011);
    client.send(golden_bytes("edk2_x64_4011_request"), asked, 4011);
    const auto message = client.receive();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from, asked);
    EXPECT_EQ(message->from_port, 4011);
    const auto packet = dhcp::decode(message->bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->server_id(), asked);
    EXPECT_EQ(packet->siaddr, asked);
  }
}

TEST_F(DhcpServerOnAWire, NamesTheAddressTheClientsNetworkKnows) {
  serve();
  const UdpClient client = this->client();
  Packet request = dhcp::golden_request("edk2_x64_discover");
  request.ciaddr = Ipv4::of(10, 88, 0, 86);
  client.send(*dhcp::encode(request, 1472), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(client).siaddr, kSecond);
}

TEST_F(DhcpServerOnAWire, FollowsAddressesAsTheyChange) {
  ASSERT_TRUE(Namespaces::run("ip addr flush dev server0"));
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  const auto no_address = static_cast<std::size_t>(dhcp::Why::no_address);
  while (served_->counters().silent[no_address] == 0) {
  }
  ASSERT_TRUE(Namespaces::run("ip addr add 10.99.0.1/24 dev server0"));
  while (served_->thread().call([this] { return served_->server().address(); }).is_zero()) {
  }
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(client).siaddr, Ipv4::of(10, 99, 0, 1));
}

TEST_F(DhcpServerOnAWire, StaysOffInterfacesItWasNotGiven) {
  ASSERT_TRUE(Namespaces::run("ip link add other0 type bridge"));
  ASSERT_TRUE(Namespaces::bring_up("other0", {"10.66.0.1/24"}));
  DhcpServerOptions options;
  options.interfaces = {"other0"};
  serve(options);
  const UdpClient client = this->client();
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  client.send(golden_bytes("edk2_x64_4011_request"), kServer, 4011);
  ASSERT_TRUE(Namespaces::run("true"));
  // Packets of one sender stay in order: an echo behind them proves that they have been seen.
  const UdpClient echo(kServer, 5000);
  client.send(Bytes{1}, kServer, 5000);
  ASSERT_TRUE(echo.receive());
  EXPECT_EQ(served_->counters().received, 0U);
}

TEST_F(DhcpServerOnAWire, AnswersAUnicastDiscoverByBroadcast) {
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("edk2_x64_discover"), kSecond, 67);
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kSecond);
  EXPECT_EQ(dhcp::decode(message->bytes)->siaddr, kSecond);
}

TEST_F(DhcpServerOnAWire, AnswersBroadcastDiscoveryAtTheAddressItCameFrom) {
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("plain_rom_broadcast_discovery_request"), Ipv4::broadcast(), 67);
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kServer);
  EXPECT_EQ(message->from_port, 67);
  EXPECT_EQ(dhcp::decode(message->bytes)->message_type(), MessageType::ack);
  EXPECT_EQ(served_->counters().acks, 1U);
}

/// Somebody far away, in whose name it asks: he gets nothing, though we know a way to him.
TEST_F(DhcpServerOnAWire, KeepsTheAnswerToDiscoveryOnTheNetwork) {
  const Ipv4 victim = Ipv4::of(10, 99, 0, 9);
  ASSERT_TRUE(Namespaces::run("ip route add 10.99.0.9 via 10.77.0.86"));
  in_client("ip addr add 10.99.0.9/32 dev client0");
  serve();
  const UdpClient broadcasts = client();
  net_.enter_client();
  const UdpClient forger(victim, 68, "client0");
  net_.enter_server();
  forger.send(golden_bytes("plain_rom_broadcast_discovery_request"), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(broadcasts).message_type(), MessageType::ack);
  EXPECT_EQ(served_->counters().acks, 1U);
  EXPECT_FALSE(forger.waiting());
}

TEST_F(DhcpServerOnAWire, HearsMulticastDiscovery) {
  serve();
  const UdpClient client = this->client();
  in_client("ip route add 224.0.1.2 dev client0");
  client.send(golden_bytes("plain_rom_4011_multicast_discovery_request"), Ipv4::of(224, 0, 1, 2),
              4011);
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kServer);
  EXPECT_EQ(message->from_port, 4011);
  EXPECT_EQ(dhcp::decode(message->bytes)->siaddr, kServer);
}

TEST_F(DhcpServerOnAWire, HearsMulticastOnAnInterfaceThatGetsItsAddressLater) {
  ASSERT_TRUE(Namespaces::run("ip addr flush dev server0"));
  serve();
  ASSERT_TRUE(Namespaces::run("ip addr add 10.77.0.2/24 dev server0"));
  while (served_->thread().call([this] { return served_->server().address(); }).is_zero()) {
  }
  const UdpClient client = this->client();
  in_client("ip route add 224.0.1.2 dev client0");
  client.send(golden_bytes("plain_rom_4011_multicast_discovery_request"), Ipv4::of(224, 0, 1, 2),
              4011);
  EXPECT_EQ(answer(client).siaddr, kServer);
}

TEST_F(DhcpServerOnAWire, AnswersARackOnce) {
  // 200 machines that are switched on together; each is answered, and none twice.
  constexpr std::uint32_t kRack = 200;
  serve();
  const UdpClient client = this->client();
  const int room = 1 << 20;
  ASSERT_EQ(::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
  Packet request = dhcp::golden_request("edk2_x64_discover");
  for (std::uint32_t i = 0; i < kRack; ++i) {
    request.xid = i;
    request.chaddr[5] = static_cast<std::uint8_t>(i);
    client.send(*dhcp::encode(request, 1472), Ipv4::broadcast(), 67);
  }
  std::set<std::uint32_t> answered;
  while (answered.size() < kRack) {
    const auto message = client.receive();
    ASSERT_TRUE(message) << answered.size() << " of the rack";
    EXPECT_TRUE(answered.insert(dhcp::decode(message->bytes)->xid).second);
  }
  EXPECT_EQ(served_->counters().offers, kRack);
  EXPECT_EQ(served_->counters().received, kRack);
  EXPECT_FALSE(client.waiting());
}

/// What another PXE server at 10.77.0.9 tells a client.
Bytes offer_of_another_server() {
  Packet offer =
      *dhcp::decode(golden::read_hex(golden::folder("dhcp") / "edk2_x64_discover.reply.hex"));
  for (dhcp::Option& option : offer.options)
    if (option.code == dhcp::code::kServerId) option.value = {10, 77, 0, 9};
  offer.sname.clear();
  return *dhcp::encode(offer, 1472);
}

TEST_F(DhcpServerOnAWire, SeesAnotherPxeServer) {
  serve();
  const UdpClient other = client(67);
  other.send(offer_of_another_server(), Ipv4::broadcast(), 68);
  std::vector<std::string> said;
  while (said.empty())
    said = served_->thread().call([this] { return served_->server().foreign(); });
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said[0].find("Another PXE server answers at 10.77.0.9"), std::string::npos) << said[0];
}

TEST_F(DhcpServerOnAWire, HoldsNothingAgainstAnotherPxeServerWhereItOnlyWatches) {
  DhcpServerOptions options;
  options.mode = DhcpMode::observe;
  testing::Logged logged;
  serve(options);
  const UdpClient other = client(67);
  other.send(offer_of_another_server(), Ipv4::broadcast(), 68);
  std::string lines;
  EXPECT_TRUE(eventually([&] {
    lines += logged.take();
    return testing::Logged::count(lines, "dhcp.foreign") == 1;
  })) << lines;
  EXPECT_TRUE(served_->thread().call([this] { return served_->server().foreign(); }).empty())
      << "that server may be what boots the machines there";
}

/// What would be answered is counted; on the wire there is nothing, neither for a broadcast nor for
/// who asks a boot server or through a relay.
TEST_F(DhcpServerOnAWire, SaysNothingWhereItOnlyWatches) {
  DhcpServerOptions options;
  options.mode = DhcpMode::observe;
  serve(options);
  const UdpClient client = this->client(), relay = this->client(67);
  std::uint64_t asked = 0;
  const auto is_observed = [&] {
    ++asked;
    EXPECT_TRUE(eventually([&] { return served_->counters().received == asked; }));
    EXPECT_EQ(served_->counters().observed, asked);
  };
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  is_observed();
  client.send(golden_bytes("edk2_x64_4011_request"), kServer, 4011);
  is_observed();
  relay.send(relayed_request(), kServer, 67);
  is_observed();
  // Packets of one sender stay in order: behind an answer, this one would come second.
  const UdpClient echo(kServer, 5000);
  const Bytes mark{1};
  for (const UdpClient* each : {&client, &relay}) {
    echo.send(mark, kClient, each->port());
    auto message = each->receive();
    if (message && message->from == kClient) message = each->receive();  // its own, looped back
    ASSERT_TRUE(message);
    EXPECT_EQ(to_hex(message->bytes), to_hex(mark)) << "from port " << message->from_port;
    EXPECT_FALSE(each->waiting());
  }
  const auto counters = served_->counters();
  EXPECT_EQ(counters.offers + counters.acks, 0U);
}

TEST_F(DhcpServerOnAWire, IsNoForeignServerToItself) {
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(client).siaddr, kServer);
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(client).siaddr, kServer);
  EXPECT_TRUE(served_->thread().call([this] { return served_->server().foreign(); }).empty());
}

}  // namespace
}  // namespace farboot
