#include "agent/dhcp/server.h"

#include <gtest/gtest.h>

#include "tests/agent/dhcp/served.h"
#include "tests/support/logged.h"
#include "tests/support/without_net_raw.h"

namespace farboot {
namespace {

using dhcp::MessageType;
using dhcp::Packet;

TEST(DhcpServer, Answers4011AtTheAddressAndPortItWasAskedFrom) {
  Served served(on_loopback());
  // All of them are the loopback's own; a scan finds the first only.
  std::uint64_t acks = 0;
  for (const Ipv4 asked :
       {Ipv4::of(127, 0, 0, 1), Ipv4::of(127, 0, 0, 2), Ipv4::of(127, 9, 8, 7)}) {
    SCOPED_TRACE(asked.to_string());
    const UdpClient client;
    client.send(golden_bytes("edk2_x64_4011_request"), asked, served.server().pxe_port());
    const auto message = client.receive();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from, asked);
    EXPECT_EQ(message->from_port, served.server().pxe_port());
    const auto packet = dhcp::decode(message->bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->message_type(), MessageType::ack);
    EXPECT_EQ(packet->server_id(), asked);
    EXPECT_EQ(packet->siaddr, asked);
    EXPECT_EQ(packet->file, "snponly.efi");
    EXPECT_EQ(served.counters().acks, ++acks);
  }
}

TEST(DhcpServer, CountsWhatItLeavesAlone) {
  Served served(on_loopback());
  const UdpClient client;
  const std::uint16_t port = served.server().pxe_port();
  client.send(Bytes(10, 0), Ipv4::of(127, 0, 0, 1), port);
  client.send(Bytes(3000, 0), Ipv4::of(127, 0, 0, 1), port);
  client.send(golden_bytes("dhclient_request"), Ipv4::of(127, 0, 0, 1), port);
  client.send(golden_bytes("debian_efi_ipxe_4011_request"), Ipv4::of(127, 0, 0, 1), port);
  EXPECT_EQ(answer(client).file, "http://127.0.0.1/boot.ipxe");  // the last one, and only that
  const auto counters = served.counters();
  EXPECT_EQ(counters.malformed, 1U);
  EXPECT_EQ(counters.silent[static_cast<std::size_t>(dhcp::Why::not_pxe)], 1U);
  EXPECT_EQ(counters.acks, 1U);
}

TEST(DhcpServer, ObservesWithoutAWord) {
  DhcpServerOptions options = on_loopback();
  options.mode = DhcpMode::observe;
  Served served(options);
  const UdpClient client;
  client.send(golden_bytes("edk2_x64_4011_request"), Ipv4::of(127, 0, 0, 1),
              served.server().pxe_port());
  while (served.counters().received == 0) {
  }
  EXPECT_EQ(served.counters().acks, 0U);
  EXPECT_EQ(served.counters().observed, 1U);
}

TEST(DhcpServer, BindsAsSoonAsItCan) {
  auto holder = std::make_unique<UdpClient>(Ipv4{});
  DhcpServerOptions options = on_loopback();
  options.pxe_port = holder->port();
  options.bind_retry = Milliseconds(1);
  Served served(options, {}, Served::Bound::later);
  const auto trouble = [&] {
    return served.thread().call([&] { return served.server().trouble(); });
  };
  EXPECT_NE(trouble().find(std::to_string(holder->port())), std::string::npos) << trouble();
  EXPECT_EQ(served.thread().call([&] { return served.server().dhcp_port(); }), 0) << "all or none";
  holder.reset();
  while (!trouble().empty()) {
  }
  const UdpClient client;
  client.send(golden_bytes("edk2_x64_4011_request"), Ipv4::of(127, 0, 0, 1), options.pxe_port);
  EXPECT_EQ(answer(client).file, "snponly.efi");
}

TEST(DhcpServer, StopsWhileItCannotBind) {
  const UdpClient holder(Ipv4{});
  DhcpServerOptions options = on_loopback();
  options.pxe_port = holder.port();
  const Served served(options, {}, Served::Bound::later);  // its loop runs empty, or this hangs
}

/// What needs the right to listen below others is told once, and everything else is served.
TEST(DhcpServer, ServesWhatItCanWithoutTheRightToListenBelow) {
  DhcpServerOptions options = on_loopback();
  options.relays = dhcp::Relays::copy;
  testing::Logged log;
  std::optional<Served> served;
  {
    const testing::WithoutNetRaw less;
    served.emplace(options);
  }
  const std::string lines = log.take();
  EXPECT_EQ(testing::Logged::count(lines, "dhcp.relays_unheard"), 1) << lines;
  EXPECT_EQ(testing::Logged::count(lines, "dhcp.servers_unseen"), 1) << lines;
  EXPECT_NE(lines.find("CAP_NET_RAW"), std::string::npos) << lines;
  const auto said = served->thread().call([&] { return served->server().unheard(); });
  ASSERT_EQ(said.size(), 2U);
  EXPECT_NE(said[0].find("behind DHCP relays get no answer"), std::string::npos) << said[0];
  EXPECT_NE(said[0].find("dhcp_relays"), std::string::npos) << said[0];
  EXPECT_NE(said[1].find("not seen if another server"), std::string::npos) << said[1];
  const UdpClient client;
  client.send(golden_bytes("edk2_x64_4011_request"), Ipv4::of(127, 0, 0, 1),
              served->server().pxe_port());
  EXPECT_EQ(answer(client).file, "snponly.efi");
}

TEST(DhcpServer, AsksForNoRightThatItDoesNotNeed) {
  DhcpServerOptions options = on_loopback();
  options.mode = DhcpMode::observe;
  options.relays = dhcp::Relays::off;
  const testing::WithoutNetRaw less;
  Served served(options);
  EXPECT_TRUE(served.thread().call([&] { return served.server().unheard(); }).empty());
}

TEST(DhcpServer, OffBindsNothing) {
  DhcpServerOptions options = on_loopback();
  options.mode = DhcpMode::off;
  Served served(options);
  EXPECT_EQ(served.server().pxe_port(), 0);
  EXPECT_EQ(served.server().dhcp_port(), 0);
}

TEST(DhcpServer, LimitsTheAnswersToOneClient) {
  DhcpServerOptions options = on_loopback();
  options.answers_per_client_second_max = 2;
  Served served(options);
  const UdpClient client;
  for (int i = 0; i < 50; ++i)
    client.send(golden_bytes("edk2_x64_4011_request"), Ipv4::of(127, 0, 0, 1),
                served.server().pxe_port());
  while (served.counters().received < 50) {
  }
  EXPECT_GE(served.counters().acks, 2U);
  EXPECT_GE(served.counters().limited, 1U);
}

}  // namespace
}  // namespace farboot
