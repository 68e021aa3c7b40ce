// On interfaces of its own: which way an answer goes.
#include <gtest/gtest.h>

#include "tests/agent/tftp/served.h"
#include "tests/support/namespaces.h"

namespace farboot {
namespace {

const Ipv4 kServer = Ipv4::of(10, 77, 0, 2);
const Ipv4 kSecondServer = Ipv4::of(10, 77, 0, 3);
const Ipv4 kClient = Ipv4::of(10, 77, 0, 86);
const Ipv4 kSecondClient = Ipv4::of(10, 77, 0, 87);

/// Two wires whose networks have the same number, as at sites that were merged.
class TftpOnAWire : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (const std::string why = lan_.create(); !why.empty()) GTEST_SKIP() << why;
    lan_.enter_client();
    const UniqueFd clients(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    lan_.enter_server();
    run(fmt::format("ip link add server1 type veth peer name client1 netns /proc/{}/fd/{}",
                    ::getpid(), clients.get()));
    bring_up({{"server0", "10.77.0.2"}, {"server1", "10.77.0.3"}});
    lan_.enter_client();
    bring_up({{"client0", "10.77.0.86"}, {"client1", "10.77.0.87"}});
    ASSERT_TRUE(lan_.carries());
    ASSERT_TRUE(
        eventually([] { return Namespaces::run("ip -o link show server1 | grep -q 'state UP'"); }));
    TftpServerOptions options;
    options.single_port = GetParam();
    served_.emplace(options);
    lan_.enter_client();
  }
  void TearDown() override {
    served_.reset();
    lan_.enter_server();  // where other tests find a loopback
  }

  static void run(const std::string& command) { EXPECT_TRUE(Namespaces::run(command)) << command; }
  static void bring_up(const std::vector<std::pair<std::string, std::string>>& ends) {
    for (const auto& [name, address] : ends) {
      run(fmt::format("ip addr add {}/24 brd + dev {}", address, name));
      run(fmt::format("ip link set {} up", name));
    }
    // A packet of the second wire's is heard though the first wire leads to its sender.
    run("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
  }

  Namespaces lan_;
  std::optional<ServedTftp> served_;
};

INSTANTIATE_TEST_SUITE_P(Ports, TftpOnAWire, testing::Bool(), [](const auto& param) {
  return param.param ? "OnePortForAll" : "PortsOfTheirOwn";
});

TEST_P(TftpOnAWire, AnswersByTheInterfaceItWasAskedOn) {
  const UdpClient first(kClient, 0, "client0");
  EXPECT_EQ(fetch(first, *served_, "boot/text", 512, 1, kServer), FakeTftpFile::bytes_of(1000));
  const UdpClient second(kSecondClient, 0, "client1");
  EXPECT_EQ(fetch(second, *served_, "boot/text", 512, 1, kSecondServer),
            FakeTftpFile::bytes_of(1000));
}

TEST_P(TftpOnAWire, RefusesByTheInterfaceItWasAskedOn) {
  const UdpClient second(kSecondClient, 0, "client1");
  second.send(read_request("../x"), kSecondServer, served_->port());
  EXPECT_EQ(error_of(second.receive()), 2);
}

/// Some machines ask the whole network: the answer has an address all the same.
TEST_P(TftpOnAWire, AnswersABroadcastRequestFromItsOwnAddress) {
  for (const Ipv4 everybody : {Ipv4::of(10, 77, 0, 255), Ipv4::broadcast()}) {
    const UdpClient client(kClient, 0, "client0");
    client.send(read_request("small"), everybody, served_->port());
    const auto data = client.receive();
    ASSERT_TRUE(data) << everybody.to_string();
    EXPECT_EQ(data->from, kServer);
    acknowledge(client, *data, 1);
  }
  EXPECT_TRUE(eventually([this] { return served_->counters().sent == 2; }));
}

}  // namespace
}  // namespace farboot
