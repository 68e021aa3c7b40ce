#include "agent/dhcp/server.h"

#include <gtest/gtest.h>

#include "tests/agent/dhcp/samples.h"
#include "tests/support/loop_thread.h"
#include "tests/support/namespaces.h"
#include "tests/support/udp_client.h"

namespace farboot {
namespace {

using dhcp::FakeLoaders;
using dhcp::MessageType;
using dhcp::Packet;

const Ipv4 kServer = Ipv4::of(10, 77, 0, 2);
const Ipv4 kSecond = Ipv4::of(10, 88, 0, 2);
const Ipv4 kClient = Ipv4::of(10, 77, 0, 86);

Bytes golden_bytes(std::string_view name) {
  return golden::read_hex(golden::folder("dhcp") / (std::string(name) + ".hex"));
}

/// A server on a loop of its own; stopped before the loop ends.
class Served {
 public:
  enum class Bound {
    now,
    later
  };
  explicit Served(DhcpServerOptions options, FakeLoaders loaders = {}, Bound wanted = Bound::now)
      : loaders_(std::move(loaders)),
        server_(std::make_unique<DhcpServer>(thread_.loop(), loaders_, std::move(options),
                                             dhcp::Policy{})) {
    const auto bound = server_->bind();
    EXPECT_EQ(bound.has_value(), wanted == Bound::now) << server_->trouble();
    thread_.call([this] { server_->start(); });
  }
  ~Served() {
    thread_.call([this] { server_->stop(); });
    thread_.finish();
  }
  DhcpServer& server() { return *server_; }
  DhcpServer::Counters counters() {
    return thread_.call([this] { return server_->counters(); });
  }
  LoopThread& thread() { return thread_; }

 private:
  FakeLoaders loaders_;
  LoopThread thread_;
  std::unique_ptr<DhcpServer> server_;
};

DhcpServerOptions on_loopback() {
  DhcpServerOptions options;
  options.interfaces = {"lo"};
  options.dhcp_port = 0;
  options.pxe_port = 0;
  return options;
}

Packet answer(const UdpClient& client) {
  const auto message = client.receive();
  EXPECT_TRUE(message) << "no answer";
  if (!message) return {};
  auto packet = dhcp::decode(message->bytes);
  EXPECT_TRUE(packet);
  return packet ? std::move(*packet) : Packet{};
}

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

/// Real broadcasts between two namespaces. Sockets stay where they were made.
class DhcpServerOnAWire : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = net_.create(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_TRUE(
        Namespaces::run("ip addr add 10.77.0.2/24 dev server0 && "
                        "ip addr add 10.88.0.2/24 dev server0 && "
                        "ip link set server0 up"));
    net_.enter_client();
    ASSERT_TRUE(
        Namespaces::run("ip link set lo up && ip addr add 10.77.0.86/24 dev client0 && "
                        "ip addr add 10.88.0.86/24 dev client0 && ip link set client0 up"));
    ASSERT_TRUE(net_.carries());
    net_.enter_server();
  }
  /// The loop's thread lives in the server's namespace.
  void serve(DhcpServerOptions options = {}) { served_.emplace(std::move(options)); }
  UdpClient client(std::uint16_t port = 68) {
    net_.enter_client();
    UdpClient made({}, port, "client0");
    net_.enter_server();
    return made;
  }
  Namespaces net_;
  std::optional<Served> served_;
};

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
  Packet request = dhcp::golden_request("relayed_uefi_x64_discover");
  request.giaddr = kClient;
  const auto bytes = dhcp::encode(request, 1472);
  relay.send(*bytes, kSecond, 67);
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
  ASSERT_TRUE(
      Namespaces::run("ip link add other0 type bridge && ip addr add 10.66.0.1/24 dev other0 "
                      "&& ip link set other0 up"));
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
  const UniqueFd neighbour(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in every{};
  every.sin_family = AF_INET;
  every.sin_port = htons(67);
  ASSERT_EQ(::bind(neighbour.get(), reinterpret_cast<const sockaddr*>(&every), sizeof every), 0);
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

}  // namespace
}  // namespace farboot
