// What strangers cannot have of the server.
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/agent/tftp/served.h"
#include "tests/support/eventually.h"

namespace farboot {
namespace {

class TftpBounds : public testing::TestWithParam<bool> {
 protected:
  TftpBounds() { options_.single_port = GetParam(); }
  TftpServerOptions options_;
};

INSTANTIATE_TEST_SUITE_P(Ports, TftpBounds, testing::Bool(), [](const auto& param) {
  return param.param ? "OnePortForAll" : "PortsOfTheirOwn";
});

/// Whoever forges requests in somebody's name gets him one packet, not one for each.
TEST_P(TftpBounds, RepeatsItsFirstPacketOnlySoOften) {
  TftpServerOptions options = options_;
  options.repeat_gap = Milliseconds(0);
  options.repeats_max = 2;
  options.timing.first_resend = Seconds(3600);  // no resend but for a repeated request
  ServedTftp served(options);
  const UdpClient client;
  const Bytes request = read_request("boot/x.efi", {{"tsize", "0"}});
  client.send(request, kLocal, served.port());
  ASSERT_TRUE(client.receive());
  for (int i = 0; i < 20; ++i) client.send(request, kLocal, served.port());
  while (served.counters().dropped < 18) {
  }
  EXPECT_TRUE(client.receive());
  EXPECT_TRUE(client.receive());
  EXPECT_FALSE(client.waiting());
  EXPECT_EQ(served.sessions(), 1U);
}

TEST_P(TftpBounds, RepeatsItsFirstPacketNotTooSoon) {
  TftpServerOptions options = options_;
  options.repeat_gap = Seconds(3600);
  options.timing.first_resend = Seconds(3600);
  ServedTftp served(options);
  const UdpClient client;
  const Bytes request = read_request("boot/x.efi", {{"tsize", "0"}});
  client.send(request, kLocal, served.port());
  ASSERT_TRUE(client.receive());
  client.send(request, kLocal, served.port());
  while (served.counters().dropped < 1) {
  }
  EXPECT_FALSE(client.waiting());
}

/// Forged requests never get an answer from whom they name: they must not take every session.
TEST_P(TftpBounds, MakesRoomAmongThoseThatNeverAnswered) {
  TftpServerOptions options = options_;
  options.sessions_max = 3;
  options.sessions_unanswered_max = 2;
  ServedTftp served(options);
  const UdpClient busy;
  busy.send(read_request("big"), kLocal, served.port());
  const auto first = busy.receive();
  ASSERT_TRUE(first);
  acknowledge(busy, *first, 1);
  ASSERT_TRUE(busy.receive());
  std::vector<std::unique_ptr<UdpClient>> silent;
  for (int i = 0; i < 5; ++i) {
    silent.push_back(std::make_unique<UdpClient>());
    silent.back()->send(read_request("big"), kLocal, served.port());
    ASSERT_TRUE(silent.back()->receive()) << i;
  }
  EXPECT_EQ(served.counters().displaced, 3U);
  const UdpClient honest;
  EXPECT_EQ(fetch(honest, served, "small"), FakeTftpFile::bytes_of(10));
  acknowledge(busy, *first, 1);
  EXPECT_LE(served.sessions(), 3U);
}

/// Nobody who has begun gives way, and whoever finds no place hears no ERROR: firmware would give
/// up, where its next try may find one.
TEST_P(TftpBounds, DropsWhoFindsNoPlaceUntilThereIsOne) {
  TftpServerOptions options = options_;
  options.sessions_max = 2;
  options.timing.first_resend = Seconds(3600);
  ServedTftp served(options);
  std::vector<std::unique_ptr<UdpClient>> busy;
  std::vector<UdpMessage> first;
  for (int i = 0; i < 2; ++i) {
    busy.push_back(std::make_unique<UdpClient>());
    busy.back()->send(read_request("big"), kLocal, served.port());
    const auto message = busy.back()->receive();
    ASSERT_TRUE(message);
    first.push_back(*message);
    acknowledge(*busy.back(), *message, 1);
    ASSERT_TRUE(busy.back()->receive());  // the second block: its answer has come
  }
  const UdpClient late;
  for (std::uint64_t tries = 1; tries <= 3; ++tries) {
    late.send(read_request("small"), kLocal, served.port());
    ASSERT_TRUE(eventually([&] { return served.counters().requests == 2 + tries; }));
    EXPECT_EQ(served.counters().dropped, tries);
    EXPECT_FALSE(late.waiting()) << "neither data nor an ERROR";
  }
  EXPECT_EQ(served.counters().refused, 0U);
  EXPECT_EQ(served.counters().displaced, 0U);
  EXPECT_EQ(served.sessions(), 2U);
  busy[0]->send(tftp::encode_error(tftp::ErrorCode::undefined, "enough"), kLocal,
                first[0].from_port);
  ASSERT_TRUE(eventually([&] { return served.sessions() == 1; }));
  EXPECT_EQ(fetch(late, served, "small"), FakeTftpFile::bytes_of(10));
  acknowledge(*busy[1], first[1], 2);
  EXPECT_TRUE(busy[1]->receive()) << "the other one goes on";
}

TEST_P(TftpBounds, CountsLinesThatStrangersCause) {
  std::string lines;
  {
    ServedTftp served(options_);
    const UdpClient client;
    tftp::Request write;
    write.path = "x";
    write.write = true;
    testing::internal::CaptureStderr();
    for (int i = 0; i < 200; ++i) {
      client.send(tftp::encode_request(write), kLocal, served.port());
      EXPECT_EQ(error_of(client.receive()), 2);
    }
    lines = testing::internal::GetCapturedStderr();
  }
  std::size_t written = 0;
  for (std::size_t at = lines.find("tftp.rejected"); at != std::string::npos;
       at = lines.find("tftp.rejected", at + 1))
    ++written;
  EXPECT_GT(written, 0U);
  EXPECT_LT(written, 150U);
}

/// Slow transfers take neighbouring ports; those behind them are not out of reach.
TEST(TftpBoundsOfPorts, FindsTheFreePortBehindManyTaken) {
  constexpr std::uint16_t kFirst = 20'000;
  constexpr std::size_t kPorts = 100;
  TftpServerOptions options;
  options.session_port_first = kFirst;
  options.session_port_last = kFirst + kPorts - 1;
  options.sessions_per_client_max = 200;
  ServedTftp served(options);
  // Ports of an address that no other process uses.
  const auto process = static_cast<std::uint32_t>(::getpid());
  const Ipv4 server = Ipv4::of(127, 99, static_cast<std::uint8_t>(process >> 8),
                               static_cast<std::uint8_t>(process | 1));
  std::vector<std::unique_ptr<UdpClient>> slow;
  for (std::size_t i = 0; i + 1 < kPorts; ++i) {
    slow.push_back(std::make_unique<UdpClient>());
    slow.back()->send(read_request("big"), server, served.port());
    const auto first = slow.back()->receive();
    ASSERT_TRUE(first);
    if (error_of(first)) GTEST_SKIP() << "somebody holds a port from " << kFirst << " on";
  }
  for (int i = 0; i < 3; ++i) {
    const UdpClient client;
    EXPECT_EQ(fetch(client, served, "small", 1468, 1, server), FakeTftpFile::bytes_of(10));
    while (served.sessions() >= kPorts) {  // until it has lingered
    }
  }
}

TEST_P(TftpBounds, LimitsTheSessionsOfOneClient) {
  TftpServerOptions options = options_;
  options.sessions_per_client_max = 3;
  ServedTftp served(options);
  std::vector<std::unique_ptr<UdpClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<UdpClient>());
    clients.back()->send(read_request("big"), kLocal, served.port());
    ASSERT_TRUE(clients.back()->receive());
  }
  const UdpClient fourth;
  fourth.send(read_request("small"), kLocal, served.port());
  while (served.counters().dropped == 0) {
  }
  // Another machine still gets in.
  const UdpClient neighbour(Ipv4::of(127, 0, 0, 77));
  EXPECT_EQ(fetch(neighbour, served, "small"), FakeTftpFile::bytes_of(10));
}

}  // namespace
}  // namespace farboot
