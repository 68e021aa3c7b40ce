#include "agent/tftp/session_peer.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/detached.hpp>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"

// What the kernel tells of errors is the point here: real sockets on loopback, and reports as a
// router would send them.
namespace farboot {
namespace {

constexpr Ipv4 kHere = Ipv4::of(127, 0, 0, 1);
constexpr Milliseconds kWait{200};

class TftpSessionPeerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto client = UdpSocket::open({.address = kHere, .port = 0});
    ASSERT_TRUE(client);
    client_.emplace(std::move(*client));
    auto peer = open_session_port(
        loop_, {.client = kHere, .client_port = client_->port(), .server = kHere}, 0);
    ASSERT_TRUE(peer);
    peer_ = std::move(*peer);
  }
  /// False: the test may send no reports, for it lacks CAP_NET_RAW.
  bool may_report() {
    raw_.reset(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    EXPECT_TRUE(raw_ || errno == EPERM);
    return static_cast<bool>(raw_);
  }

  void send(std::size_t packets) {
    const std::vector<TftpPacket> same(packets, {.header = tftp::data_header(1), .payload = data_});
    peer_->send(same);
  }

  /// "Unreachable" about what went from the peer to its client.
  void report(std::uint8_t code) {
    Bytes packet = {ICMP_DEST_UNREACH, code, 0, 0, 0, 0, 0, 0};
    const auto put = [&packet](std::uint32_t value, int bytes) {
      while (--bytes >= 0) packet.push_back(static_cast<std::uint8_t>(value >> (8 * bytes)));
    };
    put(0x45000030, 4);  // IPv4, no options, 48 bytes
    put(0, 4);
    put(0x40110000, 4);  // TTL 64, UDP
    put(kHere.value, 4);
    put(kHere.value, 4);
    put(peer_->port(), 2);
    put(client_->port(), 2);
    put(28U << 16, 4);  // UDP's length, no checksum
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < packet.size(); i += 2) sum += packet[i] * 256U + packet[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    packet[2] = static_cast<std::uint8_t>(~sum >> 8);
    packet[3] = static_cast<std::uint8_t>(~sum);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(kHere.value);
    ASSERT_EQ(::sendto(raw_.get(), packet.data(), packet.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(packet.size()));
  }

  /// What receive() gives, and by how many turns of the loop.
  TftpArrival::What receive() {
    std::optional<TftpArrival::What> what;
    boost::asio::co_spawn(
        loop_,
        [&]() -> Task<void> {
          const auto arrival = co_await peer_->receive(system_clock().steady() + kWait);
          what = arrival.what;
        },
        boost::asio::detached);
    loop_.restart();
    turns_ = loop_.run_for(10 * kWait);
    return what.value_or(TftpArrival::What::packet);
  }

  Loop loop_{1};
  std::optional<UdpSocket> client_;
  std::unique_ptr<TftpSessionPeer> peer_;
  UniqueFd raw_;
  Bytes data_ = Bytes(100, 'x');
  std::size_t turns_ = 0;
};

TEST_F(TftpSessionPeerTest, EndsWhereNobodyListens) {
  client_.reset();
  send(1);
  EXPECT_EQ(receive(), TftpArrival::What::gone);
}

/// A card that was just opened answers no ARP for a moment.
TEST_F(TftpSessionPeerTest, GoesOnWhereAHostOrItsNetworkIsUnreachable) {
  if (!may_report()) GTEST_SKIP() << "raw sockets need CAP_NET_RAW";
  for (const std::uint8_t code : {ICMP_NET_UNREACH, ICMP_HOST_UNREACH, ICMP_PROT_UNREACH}) {
    report(code);
    EXPECT_EQ(receive(), TftpArrival::What::silence) << +code;
  }
}

/// The send hears of the report, which stays in its queue: nothing to read, and awake all the same.
TEST_F(TftpSessionPeerTest, SleepsAfterAReportThatASendHasHeardOf) {
  if (!may_report()) GTEST_SKIP() << "raw sockets need CAP_NET_RAW";
  for (const std::uint8_t code : {ICMP_NET_UNREACH, ICMP_PROT_UNREACH, ICMP_SR_FAILED})
    for (const std::size_t packets : {1U, 2U, 20U}) {
      report(code);
      send(packets);
      EXPECT_EQ(receive(), TftpArrival::What::silence) << +code;
      EXPECT_LT(turns_, 100U) << +code << ", " << packets << " packets";
    }
}

}  // namespace
}  // namespace farboot
