#include "agent/doctor/lan_probe.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "agent/dhcp/classify.h"
#include "agent/doctor/judge.h"
#include "agent/doctor/machine.h"
#include "tests/agent/doctor/dnsmasq.h"
#include "tests/support/namespaces.h"
#include "tests/support/udp_client.h"

namespace farboot::doctor {
namespace {

const Ipv4 kAgent = Ipv4::of(10, 77, 0, 2), kGateway = Ipv4::of(10, 77, 0, 1);

TEST(DoctorMachine, IsTakenForWhatItPlays) {
  const std::map<Client, dhcp::ClientKind> kinds{
      {Client::bios, dhcp::ClientKind::bios},          {Client::uefi_ia32, dhcp::ClientKind::uefi},
      {Client::uefi_x64, dhcp::ClientKind::uefi},      {Client::uefi_arm64, dhcp::ClientKind::uefi},
      {Client::http_x64, dhcp::ClientKind::http_boot}, {Client::ipxe, dhcp::ClientKind::ipxe}};
  for (const Client client : kClients) {
    SCOPED_TRACE(to_string(client));
    const auto sent = dhcp::encode(discover(played(client, made_up_mac(kAgent)), 7), 576);
    ASSERT_TRUE(sent) << sent.error().what;
    const auto packet = dhcp::decode(*sent);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->mac().to_string(), "02:fb:0a:4d:00:02");
    EXPECT_EQ(packet->message_type(), dhcp::MessageType::discover);
    EXPECT_EQ(dhcp::speaks_pxe(*packet), client != Client::plain);
    if (client == Client::plain) continue;
    EXPECT_EQ(dhcp::classify(*packet).kind, kinds.at(client));
  }
  Played arm = played(Client::ipxe, made_up_mac(kAgent));
  arm.arch = 11;
  EXPECT_EQ(boot_request(arm, 7, kAgent).architectures(), std::vector<std::uint16_t>{11});
  EXPECT_EQ(dhcp::classify(boot_request(arm, 7, kAgent)).kind, dhcp::ClientKind::ipxe);
}

TEST(DoctorLanProbe, ReadsAnOfferAsMachinesDo) {
  dhcp::Packet packet;
  packet.op = dhcp::Op::reply;
  packet.yiaddr = Ipv4::of(10, 77, 0, 100);
  packet.siaddr = kGateway;
  packet.options = {{.code = dhcp::code::kBootFile, .value = {'a', '.', '0', 0, 'x'}},
                    {.code = dhcp::code::kClassId, .value = to_bytes("PXEClient")},
                    {.code = dhcp::code::kIpxe, .value = {0xb0, 1, 1}}};
  SeenOffer offer = seen_offer(packet, Client::bios, "eth0", kGateway);
  EXPECT_EQ(offer.server, kGateway) << "it does not say whose it is";
  EXPECT_EQ(offer.boot_file, "a.0");
  EXPECT_EQ(offer.class_id, "PXEClient");
  EXPECT_TRUE(offer.ipxe_waits_not);
  packet.file = "header.0";
  packet.options.back().value = {0xb0, 1, 0};
  packet.options.push_back({.code = dhcp::code::kServerId, .value = {10, 77, 0, 9}});
  offer = seen_offer(packet, Client::bios, "eth0", kGateway);
  EXPECT_EQ(offer.server, Ipv4::of(10, 77, 0, 9));
  EXPECT_EQ(offer.boot_file, "header.0") << "the header counts first";
  EXPECT_FALSE(offer.ipxe_waits_not);
}

class DoctorOnAWire : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/usr/sbin/dnsmasq"))
      GTEST_SKIP() << "no dnsmasq here; ./dev deps demo installs it";
    if (const std::string why = net_.create(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_TRUE(Namespaces::run("ip addr add 10.77.0.2/24 dev server0 && ip link set server0 up"));
    net_.enter_client();
    ASSERT_TRUE(
        Namespaces::run("ip link set lo up && ip addr add 10.77.0.1/24 dev client0 && "
                        "ip link set client0 up"));
    ASSERT_TRUE(net_.carries());
  }
  void start(std::vector<std::string> arguments) {
    net_.enter_client();
    others_.push_back(std::make_unique<Dnsmasq>(std::move(arguments)));
    net_.enter_server();
  }
  void start_router(std::vector<std::string> more = {}) {
    more.insert(more.begin(), "--dhcp-range=10.77.0.100,10.77.0.199,255.255.255.0,1h");
    start(std::move(more));
  }
  /// Until there are so many offers.
  std::vector<SeenOffer> probe(std::size_t wanted) {
    net_.enter_server();
    LanProbe probe;
    probe.interfaces = {{"server0", kAgent}};
    probe.wait = Milliseconds(30'000);
    probe.enough = [wanted](const auto& offers) { return offers.size() >= wanted; };
    const auto offers = probe_lan(probe, {});
    EXPECT_TRUE(offers) << offers.error().what;
    return offers ? *offers : std::vector<SeenOffer>();
  }
  std::vector<std::string> fails(std::vector<SeenOffer> offers) {
    Observations seen;
    seen.interfaces = {{"server0", kAgent}};
    seen.http_url = "http://10.77.0.2";
    seen.release = 1;
    seen.loader_files = {"undionly.kpxe"};
    seen.offers = std::move(offers);
    std::vector<std::string> ids;
    for (const Finding& finding : judge(seen))
      if (finding.severity != Severity::ok) ids.push_back(finding.id);
    return ids;
  }

  Namespaces net_;
  std::vector<std::unique_ptr<Dnsmasq>> others_;
};

TEST_F(DoctorOnAWire, SeesARouterThatGivesAddressesOnly) {
  start_router();
  const auto offers = probe(kClients.size());
  ASSERT_EQ(offers.size(), kClients.size());
  std::set<Client> asked;
  for (const SeenOffer& offer : offers) {
    asked.insert(offer.asked);
    EXPECT_EQ(offer.server, kGateway);
    EXPECT_FALSE(offer.address.is_zero());
    EXPECT_EQ(offer.address, offers[0].address) << "one machine, one address";
    EXPECT_EQ(offer.boot_file + offer.class_id, "");
  }
  EXPECT_EQ(asked.size(), kClients.size());
  EXPECT_THAT(fails(offers), testing::IsEmpty());
}

TEST_F(DoctorOnAWire, SeesABootFileInTheLease) {
  start_router({"--dhcp-boot=pxelinux.0"});
  const auto offers = probe(kClients.size());
  for (const SeenOffer& offer : offers) EXPECT_EQ(offer.boot_file, "pxelinux.0");
  EXPECT_THAT(fails(offers), testing::ElementsAre("dhcp.boot_file"));
}

TEST_F(DoctorOnAWire, SeesOption60InTheLease) {
  start_router({"--dhcp-option-force=60,PXEClient"});
  EXPECT_THAT(fails(probe(kClients.size())), testing::ElementsAre("dhcp.pxe_class"));
}

TEST_F(DoctorOnAWire, SeesThatIpxeIsToldNotToWait) {
  start_router({"--dhcp-option-force=175,b0:01:01"});
  EXPECT_THAT(fails(probe(kClients.size())), testing::ElementsAre("dhcp.ipxe_does_not_wait"));
}

TEST_F(DoctorOnAWire, SeesAProxyAndNothingElse) {
  start({"--dhcp-range=10.77.0.0,proxy", "--pxe-service=x86PC,Old,pxelinux"});
  const auto offers = probe(1);
  ASSERT_FALSE(offers.empty());
  EXPECT_TRUE(offers[0].address.is_zero());
  EXPECT_EQ(offers[0].class_id, "PXEClient");
  EXPECT_THAT(fails(offers), testing::UnorderedElementsAre("dhcp.none", "dhcp.other_pxe_server"));
}

TEST_F(DoctorOnAWire, HearsNobodyWhereNobodyIs) {
  net_.enter_server();
  LanProbe probe;
  probe.interfaces = {{"server0", kAgent}, {"gone0", kAgent}};
  probe.wait = Milliseconds(1);
  const auto offers = probe_lan(probe, {});
  ASSERT_TRUE(offers) << offers.error().what;
  EXPECT_THAT(fails(*offers), testing::ElementsAre("dhcp.none"));
}

TEST_F(DoctorOnAWire, PassesOverWhatIsNoAnswerToIt) {
  net_.enter_client();
  const UdpClient stranger({}, 67, "client0");
  net_.enter_server();
  std::jthread noise([&](const std::stop_token& stop) {
    dhcp::Packet offer;  // of another machine's exchange, and bytes that are none
    offer.op = dhcp::Op::reply;
    offer.yiaddr = Ipv4::of(10, 77, 0, 100);
    offer.options = {{.code = dhcp::code::kMessageType, .value = {2}}};
    const auto bytes = dhcp::encode(offer, 576);
    const Bytes junk(1400, 0xff);
    while (!stop.stop_requested()) {
      stranger.send(*bytes, Ipv4::broadcast(), 68);
      stranger.send(junk, Ipv4::broadcast(), 68);
      std::this_thread::yield();
    }
  });
  LanProbe probe;
  probe.interfaces = {{"server0", kAgent}};
  probe.wait = Milliseconds(300);
  const auto offers = probe_lan(probe, {});
  ASSERT_TRUE(offers);
  EXPECT_TRUE(offers->empty());
}

TEST_F(DoctorOnAWire, StopsWhenItIsToldTo) {
  std::stop_source stop;
  stop.request_stop();
  net_.enter_server();
  LanProbe probe;
  probe.interfaces = {{"server0", kAgent}};
  probe.wait = Milliseconds(3'600'000);
  const auto stopped = probe_lan(probe, stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace farboot::doctor
