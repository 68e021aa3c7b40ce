// Beside a DHCP server on the same machine: it keeps what is its own.
#include <gtest/gtest.h>

#include "tests/agent/dhcp/served.h"

namespace farboot {
namespace {

using dhcp::MessageType;
using dhcp::Packet;

TEST_F(DhcpServerOnAWire, LeavesTheRenewalsOfADhcpServerOnTheSameMachineAlone) {
  // As a DHCP server does it: every address, shared. Unicast goes to the last one bound.
  const UdpClient neighbour({}, 67);
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("dhclient_request"), kServer, 67);
  const auto renewal = neighbour.receive();
  ASSERT_TRUE(renewal);
  EXPECT_EQ(renewal->bytes, golden_bytes("dhclient_request"));
  // And both hear broadcasts.
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  EXPECT_EQ(answer(client).message_type(), MessageType::offer);
  EXPECT_TRUE(neighbour.receive());
}

TEST_F(DhcpServerOnAWire, ListensBelowADhcpServerThatDoesNotShareItsPort) {
  // What this one gets it keeps: it has the port for itself.
  const UniqueFd neighbour = without_sharing({});
  ASSERT_TRUE(neighbour);
  serve();
  const UdpClient client = this->client();
  client.send(golden_bytes("dhclient_discover"), Ipv4::broadcast(), 67);
  client.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
  const auto message = client.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kServer);
  EXPECT_EQ(message->from_port, 67);
  EXPECT_EQ(to_hex(message->bytes),
            to_hex(golden::read_hex(golden::folder("dhcp") / "edk2_x64_discover.reply.hex")));
  EXPECT_EQ(served_->counters().received, 2U);
}

TEST_F(DhcpServerOnAWire, AnswersRelaysBesideAnotherServerThatStillGetsThem) {
  const UdpClient neighbour({}, 67);
  serve();
  const UdpClient relay = client(67);
  relay.send(relayed_request(), kSecond, 67);
  const auto message = relay.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kSecond);
  EXPECT_EQ(message->from_port, 67);
  EXPECT_EQ(dhcp::decode(message->bytes)->siaddr, kSecond);
  const auto copy = neighbour.receive();
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->bytes, relayed_request());
  EXPECT_EQ(served_->counters().received, 1U);
}

TEST_F(DhcpServerOnAWire, AnswersRelaysBelowAServerThatDoesNotShareItsPort) {
  const UniqueFd neighbour = without_sharing({});
  ASSERT_TRUE(neighbour);
  serve();
  const UdpClient relay = client(67);
  relay.send(relayed_request(), kServer, 67);
  EXPECT_EQ(answer(relay).siaddr, kServer);
  relay.send(relayed_request(), Ipv4::broadcast(), 67);  // some relays do
  auto message = relay.receive();
  if (message && message->from == kClient) message = relay.receive();  // its own, looped back
  ASSERT_TRUE(message);
  EXPECT_EQ(message->from, kServer);
  EXPECT_EQ(message->from_port, 67);
  EXPECT_EQ(served_->counters().send_failed, 0U);
  EXPECT_EQ(served_->counters().offers, 2U);
}

TEST_F(DhcpServerOnAWire, LeavesWhatARouterForwardsAlone) {
  const UdpClient neighbour({}, 67);
  serve();
  // Written to 10.99.0.9, behind us.
  ASSERT_TRUE(Namespaces::run("sysctl -qw net.ipv4.ip_forward=1"));
  in_client("ip route add 10.99.0.9 via 10.77.0.2");
  const UdpClient relay = client(67);
  relay.send(relayed_request(1), Ipv4::of(10, 99, 0, 9), 67);
  relay.send(relayed_request(2), kServer, 67);
  EXPECT_EQ(answer(relay).xid, 2U) << "the first was none of ours";
}

TEST_F(DhcpServerOnAWire, LeavesWhatIsForAnotherCardAlone) {
  const UdpClient neighbour({}, 67);
  ASSERT_TRUE(Namespaces::run("ip link set server0 promisc on"));  // as a sniffer does it
  serve();
  const UdpClient relay = client(67);
  in_client("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 dev client0");
  relay.send(relayed_request(1), kServer, 67);
  in_client("ip neigh del 10.77.0.2 dev client0");
  relay.send(relayed_request(2), kServer, 67);
  EXPECT_EQ(answer(relay).xid, 2U);
}

TEST_F(DhcpServerOnAWire, LeavesThePortToALaterServerIfToldSo) {
  for (const dhcp::Relays relays : {dhcp::Relays::off, dhcp::Relays::copy}) {
    DhcpServerOptions options;
    options.relays = relays;
    serve(options);
    const UniqueFd later = without_sharing(kServer);
    EXPECT_TRUE(later) << std::strerror(errno);
    const UdpClient relay = client(67);
    relay.send(relayed_request(), kServer, 67);
    if (relays == dhcp::Relays::copy) {
      EXPECT_EQ(answer(relay).siaddr, kServer);
    } else {
      relay.send(golden_bytes("edk2_x64_discover"), Ipv4::broadcast(), 67);
      while (served_->counters().offers == 0) {
      }
      EXPECT_EQ(served_->counters().received, 1U);
    }
    served_.reset();
  }
}

TEST_F(DhcpServerOnAWire, KeepsThePortForRelaysIfItIsAlone) {
  serve();
  EXPECT_FALSE(without_sharing(kServer)) << "or relays are not heard by themselves";
}

}  // namespace
}  // namespace farboot
