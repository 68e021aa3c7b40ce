// What strangers cannot have of the server.
#include <memory>
#include <string>
#include <vector>

#include "tests/agent/tftp/served.h"

namespace farboot {
namespace {

/// Whoever forges requests in somebody's name gets him one packet, not one for each.
TEST(TftpBounds, RepeatsItsFirstPacketOnlySoOften) {
  TftpServerOptions options;
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

TEST(TftpBounds, RepeatsItsFirstPacketNotTooSoon) {
  TftpServerOptions options;
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
TEST(TftpBounds, MakesRoomAmongThoseThatNeverAnswered) {
  TftpServerOptions options;
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

TEST(TftpBounds, CountsLinesThatStrangersCause) {
  std::string lines;
  {
    ServedTftp served;
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

TEST(TftpBounds, LimitsTheSessionsOfOneClient) {
  TftpServerOptions options;
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
