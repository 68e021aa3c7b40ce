// On interfaces of its own: which way an answer goes.
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cstring>
#include <functional>
#include <semaphore>
#include <stop_token>
#include <thread>

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
    ASSERT_TRUE(lan_.add_wire("server1", "client1"));
    bring_up({{"server0", "10.77.0.2/24"}, {"server1", "10.77.0.3/24"}});
    lan_.enter_client();
    bring_up({{"client0", "10.77.0.86/24"}, {"client1", "10.77.0.87/24"}});
    ASSERT_TRUE(lan_.carries());
    ASSERT_TRUE(lan_.carries("server1", "client1"));
    TftpServerOptions options;
    options.single_port = GetParam();
    served_.emplace(options);
    lan_.enter_client();
  }
  void TearDown() override {
    served_.reset();
    lan_.enter_server();  // where other tests find a loopback
  }

  static void bring_up(const std::vector<std::pair<std::string, std::string>>& ends) {
    for (const auto& [name, address] : ends) EXPECT_TRUE(Namespaces::bring_up(name, {address}));
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

/// Changes how large a packet an interface takes. Whoever watches was told when set() returns.
class Mtu {
 public:
  /// Of an interface in the namespace the thread is in now.
  explicit Mtu(const char* interface) : any_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::strcpy(request_.ifr_name, interface);
  }
  void set(int mtu) {
    request_.ifr_mtu = mtu;
    EXPECT_EQ(::ioctl(any_.get(), SIOCSIFMTU, &request_), 0) << std::strerror(errno);
  }

 private:
  UniqueFd any_;
  ifreq request_{};
};

/// The block size granted to who asks for the largest; `before` runs before each sending. A packet
/// may be lost while the interface changes under it: it asks again soon.
std::string granted(
    const UdpClient& client, std::uint16_t port, const std::function<void()>& before = [] {}) {
  constexpr int kPatienceMs = 250;
  constexpr int kTries = 40;
  pollfd look{.fd = client.fd(), .events = POLLIN, .revents = 0};
  for (int tries = 0; tries < kTries; ++tries) {
    before();
    client.send(read_request("boot/x.efi", {{"blksize", "65464"}}), kSecondServer, port);
    if (::poll(&look, 1, kPatienceMs) <= 0) continue;
    const auto message = client.receive();
    if (!message) return "nothing";
    const auto oack = tftp::decode_oack(message->bytes);
    if (!oack) return "no OACK";
    client.send(tftp::encode_error(tftp::ErrorCode::undefined, "enough"), message->from,
                message->from_port);
    return oack->options.front().value;
  }
  return "nothing";
}

TEST_P(TftpOnAWire, GrantsBlocksThatFitTheInterfaceAsItIsNow) {
  lan_.enter_server();
  Mtu mtu("server1");
  lan_.enter_client();
  for (const int bytes : {1500, 1400, 1500, 1300}) {
    mtu.set(bytes);
    const UdpClient client(kSecondClient, 0, "client1");
    EXPECT_EQ(granted(client, served_->port()), std::to_string(bytes - 32));
  }
}

/// The table of interfaces is made anew between two looks at it, as often as that can happen: what
/// was found in it at the first look is not there at the second.
TEST_P(TftpOnAWire, ServesWhileInterfacesChange) {
  lan_.enter_server();
  // So many for each request: more would keep everybody else from the table.
  constexpr std::ptrdiff_t kChanges = 20;
  std::counting_semaphore<> due(0);
  std::jthread changes([&due](const std::stop_token& done) {
    Mtu mtu("server1");
    for (int turn = 0; !done.stop_requested(); ++turn) {
      due.acquire();
      mtu.set(turn % 2 == 0 ? 1400 : 1500);
    }
  });
  lan_.enter_client();
  for (int i = 0; i < 300; ++i) {
    const UdpClient client(kSecondClient, 0, "client1");
    const std::string value = granted(client, served_->port(), [&due] { due.release(kChanges); });
    EXPECT_TRUE(value == "1468" || value == "1368") << value;
    if (HasFailure()) break;
  }
  changes.request_stop();
  due.release();
}

}  // namespace
}  // namespace farboot
