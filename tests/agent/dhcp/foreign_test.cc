#include "agent/dhcp/foreign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Ipv4 kRouter = Ipv4::of(10, 77, 0, 1);

InterfaceTable our_table() {
  return InterfaceTable({{.index = 1,
                          .name = "eth0",
                          .loopback = false,
                          .up = true,
                          .mtu = 1500,
                          .addresses = {{Ipv4::of(10, 77, 0, 2), 24}}}});
}

/// A home router's lease; `more` on top.
Packet lease(const std::vector<Option>& more = {}) {
  Packet packet;
  packet.op = Op::reply;
  packet.yiaddr = Ipv4::of(10, 77, 0, 60);
  packet.options = {
      {code::kMessageType, {2}}, {code::kServerId, {10, 77, 0, 1}}, {51, {0, 0, 14, 16}}};
  packet.options.insert(packet.options.end(), more.begin(), more.end());
  return packet;
}

/// Our own answer as another agent at 10.77.0.9 would give it.
Packet proxy_offer(const char* request) {
  Arrival arrival = arrival_of(request);
  arrival.our_address = Ipv4::of(10, 77, 0, 9);
  return told(decide(golden_request(request), arrival, {}, every_loader())).packet;
}

std::optional<ForeignKind> kind_of(const Packet& packet) {
  const auto server = foreign_server(packet, our_table());
  if (!server) return std::nullopt;
  return server->kind;
}

TEST(DhcpForeign, APlainLeaseIsNoTrouble) { EXPECT_EQ(kind_of(lease()), std::nullopt); }

TEST(DhcpForeign, ALeaseThatSaysPxeKeepsClientsFromUs) {
  const auto server = foreign_server(lease({{code::kClassId, to_bytes("PXEClient")}}), our_table());
  ASSERT_TRUE(server);
  EXPECT_EQ(server->kind, ForeignKind::lease_is_pxe);
  EXPECT_EQ(server->address, kRouter);
  EXPECT_THAT(server->advice(), HasSubstr("The DHCP server 10.77.0.1 sends option 60"));
}

TEST(DhcpForeign, ALeaseWithABootFileIsWhatIpxeTakes) {
  Packet in_header = lease();
  in_header.file = "router\x1b.kpxe";
  const auto server = foreign_server(in_header, our_table());
  ASSERT_TRUE(server);
  EXPECT_EQ(server->kind, ForeignKind::names_a_file);
  EXPECT_THAT(server->advice(), HasSubstr("router\\x1b.kpxe"));
  EXPECT_EQ(kind_of(lease({{code::kBootFile, to_bytes("x.efi")}})), ForeignKind::names_a_file);
  EXPECT_EQ(kind_of(lease({{code::kBootFile, {0}}})), std::nullopt) << "an empty name is none";
}

TEST(DhcpForeign, ALeaseThatLeadsToUsIsTheOperatorsOwnWork) {
  Packet to_us = lease({{code::kClassId, to_bytes("PXEClient")}});
  to_us.siaddr = Ipv4::of(10, 77, 0, 2);
  EXPECT_EQ(kind_of(to_us), std::nullopt);
  Packet script = lease();
  script.file = "http://10.77.0.2:8080/boot.ipxe";
  EXPECT_EQ(kind_of(script), std::nullopt);
  script.file = "http://10.77.0.3/boot.ipxe";
  EXPECT_EQ(kind_of(script), ForeignKind::names_a_file);
}

TEST(DhcpForeign, ALeaseMayTellIpxeNotToWait) {
  EXPECT_EQ(kind_of(lease({{code::kIpxe, {0xb0, 1, 1}}})), ForeignKind::stops_ipxe);
  EXPECT_EQ(kind_of(lease({{code::kIpxe, {0xb0, 1, 0}}})), std::nullopt);
  EXPECT_EQ(kind_of(lease({{code::kIpxe, {0x01, 1, 1}}})), std::nullopt);
}

TEST(DhcpForeign, AnotherProxyIsToldFromAnotherAgent) {
  for (const char* request : {"edk2_x64_discover", "intel_rom_discover", "edk2_x64_http_discover",
                              "qemu_bios_ipxe_discover"}) {
    SCOPED_TRACE(request);
    Packet packet = proxy_offer(request);
    EXPECT_EQ(kind_of(packet), ForeignKind::agent);
    packet.options.push_back({66, to_bytes("10.77.0.9")});
    EXPECT_EQ(kind_of(packet), ForeignKind::proxy);
  }
  Packet packet = proxy_offer("edk2_x64_discover");
  packet.sname.clear();
  EXPECT_EQ(kind_of(packet), ForeignKind::proxy);
}

TEST(DhcpForeign, WhatIsOursOrNoAnswerIsNothing) {
  EXPECT_EQ(kind_of(told(answer_to("edk2_x64_discover")).packet), std::nullopt) << "we sent it";
  Packet packet = proxy_offer("edk2_x64_discover");
  packet.op = Op::request;
  EXPECT_EQ(kind_of(packet), std::nullopt);
  packet.op = Op::reply;
  packet.options.front().value = {6};  // NAK
  EXPECT_EQ(kind_of(packet), std::nullopt);
  packet.options.front().value = {5};  // ACK
  EXPECT_EQ(kind_of(packet), ForeignKind::agent);
  packet.options.erase(packet.options.begin() + 1);
  EXPECT_EQ(kind_of(packet), std::nullopt) << "nobody can be named";
}

ForeignServer proxy_at(Ipv4 address) {
  return {.address = address, .kind = ForeignKind::proxy, .file = "a"};
}

TEST(DhcpForeignServers, SayOnceWhatIsNewAndForgetWhatIsGone) {
  ForeignServers servers;
  const SteadyTime start{Seconds(100)};
  const ForeignServer proxy = proxy_at(kRouter);
  const ForeignServer agent{.address = kRouter, .kind = ForeignKind::agent, .file = "a"};
  EXPECT_TRUE(servers.note(proxy, kRouter, start));
  EXPECT_FALSE(servers.note(proxy, kRouter, start + Seconds(3000)));
  EXPECT_TRUE(servers.note(agent, kRouter, start + Seconds(3000)));
  EXPECT_THAT(servers.troubles(start + Seconds(6600)), ElementsAre(proxy.advice()));
  EXPECT_THAT(servers.troubles(start + Seconds(6601)), IsEmpty());
  EXPECT_TRUE(servers.note(proxy, kRouter, start + Seconds(6601))) << "it is back";
}

TEST(DhcpForeignServers, OneSenderThatNamesManyHidesNobody) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  const Ipv4 forger = Ipv4::of(10, 77, 0, 66);
  std::size_t news = 0;
  for (std::uint32_t i = 1; i <= 1000; ++i)
    news += servers.note(proxy_at(Ipv4{i}), forger, now) ? 1 : 0;
  EXPECT_EQ(news, ForeignServers::kMaxOfSender) << "or the log's rate is used up by it";
  EXPECT_EQ(servers.troubles(now).size(), ForeignServers::kMaxOfSender);
  const Ipv4 other = Ipv4::of(10, 77, 0, 9);
  EXPECT_TRUE(servers.note(proxy_at(other), other, now));
  EXPECT_THAT(servers.troubles(now), testing::Contains(proxy_at(other).advice()));
  // Under the name of the other server, too.
  for (std::uint32_t i = 1; i <= 1000; ++i) servers.note(proxy_at(Ipv4{i}), other, now);
  EXPECT_THAT(servers.troubles(now), testing::Contains(proxy_at(other).advice()));
}

TEST(DhcpForeignServers, WhoIsNamedByAForgerStaysItself) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  const Ipv4 real = Ipv4::of(10, 77, 0, 9), forger = Ipv4::of(10, 77, 0, 66);
  servers.note(proxy_at(real), real, now);
  servers.note(proxy_at(real), forger, now);
  for (std::uint32_t i = 1; i <= 100; ++i) {
    now += Seconds(2);
    servers.note(proxy_at(Ipv4{i / 2}), forger, now);
  }
  EXPECT_THAT(servers.troubles(now), testing::Contains(proxy_at(real).advice()));
}

TEST(DhcpForeignServers, WhoIsHeardOfAgainStaysAmongForgedOnes) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  const Ipv4 real = Ipv4::of(10, 77, 0, 9);
  const auto forge = [&](std::uint32_t from, std::uint32_t count) {
    for (std::uint32_t i = from; i < from + count; ++i, now += Milliseconds(100))
      servers.note(proxy_at(Ipv4{i}), Ipv4{i}, now);
  };
  servers.note(proxy_at(real), real, now);
  forge(1, 20);
  servers.note(proxy_at(real), real, now);
  forge(1000, 10 * ForeignServers::kMax);
  const auto told = servers.troubles(now);
  ASSERT_EQ(told.size(), ForeignServers::kTold);
  EXPECT_EQ(told.front(), proxy_at(real).advice());
}

TEST(DhcpForeignServers, ANewOneIsTakenThoughMostAreForged) {
  ForeignServers servers;
  const SteadyTime now{Seconds(100)};
  for (std::uint32_t i = 1; i <= 2 * ForeignServers::kMax; ++i)
    EXPECT_TRUE(servers.note(proxy_at(Ipv4{i}), Ipv4{i}, now));
  EXPECT_TRUE(servers.note(proxy_at(kRouter), kRouter, now));
  EXPECT_FALSE(servers.note(proxy_at(kRouter), kRouter, now)) << "it is known by now";
  EXPECT_EQ(servers.troubles(now).size(), ForeignServers::kTold);
}

}  // namespace
}  // namespace farboot::dhcp
