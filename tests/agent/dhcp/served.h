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
