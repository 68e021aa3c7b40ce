// A DHCP server that runs, on the loopback or on wires of its own.
#pragma once

#include <gtest/gtest.h>

#include "agent/dhcp/server.h"
#include "tests/agent/dhcp/samples.h"
#include "tests/support/loop_thread.h"
#include "tests/support/namespaces.h"
#include "tests/support/udp_client.h"

namespace farboot {

inline const Ipv4 kServer = Ipv4::of(10, 77, 0, 2);
inline const Ipv4 kSecond = Ipv4::of(10, 88, 0, 2);
inline const Ipv4 kClient = Ipv4::of(10, 77, 0, 86);

inline Bytes golden_bytes(std::string_view name) {
  return golden::read_hex(golden::folder("dhcp") / (std::string(name) + ".hex"));
}

/// A server on a loop of its own; stopped before the loop ends.
class Served {
 public:
  enum class Bound {
    now,
    later
  };
  explicit Served(DhcpServerOptions options, dhcp::FakeLoaders loaders = {},
                  Bound wanted = Bound::now)
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
  dhcp::FakeLoaders loaders_;
  LoopThread thread_;
  std::unique_ptr<DhcpServer> server_;
};

inline DhcpServerOptions on_loopback() {
  DhcpServerOptions options;
  options.interfaces = {"lo"};
  options.dhcp_port = 0;
  options.pxe_port = 0;
  return options;
}

inline dhcp::Packet answer(const UdpClient& client) {
  const auto message = client.receive();
  EXPECT_TRUE(message) << "no answer";
  if (!message) return {};
  auto packet = dhcp::decode(message->bytes);
  EXPECT_TRUE(packet);
  return packet ? std::move(*packet) : dhcp::Packet{};
}

/// A DHCP server that keeps its port to itself, as Kea does; none if the port is not free.
inline UniqueFd without_sharing(Ipv4 address) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(67);
  own.sin_addr.s_addr = htonl(address.value);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return {};
  return fd;
}

/// What a relay on the client's side sends to the server.
inline Bytes relayed_request(std::uint32_t xid = 7) {
  dhcp::Packet request = dhcp::golden_request("relayed_uefi_x64_discover");
  request.giaddr = kClient;
  request.xid = xid;
  return *dhcp::encode(request, 1472);
}

/// Real broadcasts between two namespaces. Sockets stay where they were made.
class DhcpServerOnAWire : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = net_.create(); !why.empty()) GTEST_SKIP() << why;
    in_client("ip link set lo up");
    bring_up("0", {"10.77.0.2/24", "10.88.0.2/24"}, {"10.77.0.86/24", "10.88.0.86/24"});
  }
  /// Both ends of a wire: server<name>, client<name>.
  void bring_up(const std::string& name, const std::vector<std::string>& server_addresses,
                const std::vector<std::string>& client_addresses) {
    EXPECT_TRUE(Namespaces::bring_up("server" + name, server_addresses));
    net_.enter_client();
    EXPECT_TRUE(Namespaces::bring_up("client" + name, client_addresses));
    ASSERT_TRUE(net_.carries("server" + name, "client" + name));
    net_.enter_server();
  }
  /// The loop's thread lives in the server's namespace.
  void serve(DhcpServerOptions options = {}) { served_.emplace(std::move(options)); }
  UdpClient client(std::uint16_t port = 68, const std::string& device = "client0") {
    net_.enter_client();
    UdpClient made({}, port, device);
    net_.enter_server();
    return made;
  }
  void in_client(const std::string& command) {
    net_.enter_client();
    EXPECT_TRUE(Namespaces::run(command)) << command;
    net_.enter_server();
  }
  Namespaces net_;
  std::optional<Served> served_;
};

}  // namespace farboot
