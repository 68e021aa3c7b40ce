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

const Ipv4 kReal = Ipv4::of(10, 77, 0, 9);
const Ipv4 kRelay = Ipv4::of(10, 88, 0, 1);
const Ipv4 kForger = Ipv4::of(10, 77, 0, 66);

/// Each by a sender of its own, `every` so long.
void forge(ForeignServers& servers, SteadyTime& now, std::uint32_t count,
           Milliseconds every = Milliseconds(0)) {
  static std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < count; ++i, now += every)
    servers.note(proxy_at(Ipv4{++last}), Ipv4{last}, now);
}

/// Names it until it counts as heard of again.
void hear_twice(ForeignServers& servers, Ipv4 server, Ipv4 sender, SteadyTime& now) {
  servers.note(proxy_at(server), sender, now);
  now += ForeignServers::kAgain;
  servers.note(proxy_at(server), sender, now);
}

TEST(DhcpForeignServers, OneSenderThatNamesManyHidesNobody) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  servers.note(proxy_at(kReal), kReal, now);
  for (std::uint32_t i = 1; i <= 1000; ++i) servers.note(proxy_at(Ipv4{i}), kForger, now);
  EXPECT_EQ(servers.size(), 1 + ForeignServers::kOfSenderMax);
  EXPECT_EQ(servers.troubles(now).front(), proxy_at(kReal).advice());
  // Under the name of the other server, too.
  for (std::uint32_t i = 1; i <= 1000; ++i) servers.note(proxy_at(Ipv4{i}), kReal, now);
  EXPECT_EQ(servers.troubles(now).front(), proxy_at(kReal).advice());
}

TEST(DhcpForeignServers, ServersBehindOneRelayAllStay) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  const std::vector<Ipv4> behind = {Ipv4::of(10, 99, 0, 1), Ipv4::of(10, 99, 0, 2),
                                    Ipv4::of(10, 99, 0, 3)};
  for (const Ipv4 server : behind)
    EXPECT_TRUE(servers.note(proxy_at(server), kRelay, now)) << server.to_string();
  EXPECT_THAT(servers.troubles(now),
              ElementsAre(proxy_at(behind[0]).advice(), proxy_at(behind[1]).advice(),
                          proxy_at(behind[2]).advice()));
}

TEST(DhcpForeignServers, ManyNamedInTheNameOfARelayHideNoneBehindItThatIsHeardOfAgain) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  const Ipv4 one = Ipv4::of(10, 99, 0, 1), two = Ipv4::of(10, 99, 0, 2);
  hear_twice(servers, one, kRelay, now);
  hear_twice(servers, two, kRelay, now);
  for (std::uint32_t i = 1; i <= 1000; ++i) servers.note(proxy_at(Ipv4{i}), kRelay, now);
  const auto told = servers.troubles(now);
  EXPECT_EQ(told[0], proxy_at(one).advice());
  EXPECT_EQ(told[1], proxy_at(two).advice());
}

TEST(DhcpForeignServers, WhoIsNamedByAForgerStaysItself) {
  ForeignServers servers;
  const SteadyTime now{Seconds(100)};
  EXPECT_TRUE(servers.note(proxy_at(kReal), kForger, now));
  EXPECT_FALSE(servers.note(proxy_at(kReal), kReal, now)) << "the log has it";
  EXPECT_THAT(servers.troubles(now), ElementsAre(proxy_at(kReal).advice())) << "nor twice here";
  for (std::uint32_t i = 1; i <= 100; ++i) servers.note(proxy_at(Ipv4{i}), kForger, now);
  EXPECT_EQ(servers.troubles(now).front(), proxy_at(kReal).advice());
}

TEST(DhcpForeignServers, OneSenderWhoseManyAreHeardOfAgainHidesNobodyEither) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  for (std::uint32_t i = 1; i <= 500; ++i) hear_twice(servers, Ipv4{i}, kForger, now);
  EXPECT_EQ(servers.size(), 2 * ForeignServers::kOfSenderMax);
  hear_twice(servers, kReal, kReal, now);
  EXPECT_EQ(servers.troubles(now)[1], proxy_at(kReal).advice());
}

TEST(DhcpForeignServers, WhoIsHeardOfAgainStaysHoweverManyAreForged) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  servers.note(proxy_at(kReal), kReal, now);
  forge(servers, now, 20, Milliseconds(100));
  servers.note(proxy_at(kReal), kReal, now);
  forge(servers, now, 1000);
  // Forged ones are heard of again as well, and later.
  for (int i = 0; i < 1000; ++i)
    hear_twice(servers, Ipv4{0x0b000000U + static_cast<std::uint32_t>(i)},
               Ipv4{0x0b000000U + static_cast<std::uint32_t>(i)}, now);
  EXPECT_EQ(servers.size(), ForeignServers::kRegularsMax + ForeignServers::kNewcomersMax);
  EXPECT_EQ(servers.troubles(now).front(), proxy_at(kReal).advice());
}

TEST(DhcpForeignServers, ANewOneIsTakenThoughMostAreForged) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  forge(servers, now, 1000);
  EXPECT_EQ(servers.size(), ForeignServers::kNewcomersMax);
  hear_twice(servers, kReal, kReal, now);
  const auto told = servers.troubles(now);
  EXPECT_EQ(told.front(), proxy_at(kReal).advice());
  ASSERT_EQ(told.size(), ForeignServers::kTold + 1);
  EXPECT_THAT(told.back(), HasSubstr("61 more servers"));
}

TEST(DhcpForeignServers, AFloodUsesUpNoLineOfWhoIsHeardOfAgain) {
  ForeignServers servers;
  SteadyTime now{Seconds(100)};
  std::size_t lines = 0;
  for (std::uint32_t i = 1; i <= 1000; ++i)
    lines += servers.note(proxy_at(Ipv4{i}), Ipv4{i}, now) ? 1 : 0;
  EXPECT_LT(lines, 50U);
  EXPECT_FALSE(servers.note(proxy_at(kReal), kReal, now));
  now += ForeignServers::kAgain;
  EXPECT_TRUE(servers.note(proxy_at(kReal), kReal, now));
  now += ForeignServers::kAgain;
  EXPECT_FALSE(servers.note(proxy_at(kReal), kReal, now)) << "once";
}

}  // namespace
}  // namespace farboot::dhcp
