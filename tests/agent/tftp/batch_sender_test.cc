#include "agent/tftp/batch_sender.h"

#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"

// What the kernel does is the point here: real sockets on loopback.
namespace farboot {
namespace {

constexpr int kWaitMs = 5000;

UniqueFd open_socket() { return UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

class TftpBatchSender : public ::testing::Test {
 protected:
  TftpBatchSender() : here_(open_socket()), there_(open_socket()) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    const int room = 1 << 22;
    ::setsockopt(there_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    EXPECT_EQ(::bind(there_.get(), reinterpret_cast<const sockaddr*>(&address_), length), 0);
    EXPECT_EQ(::getsockname(there_.get(), reinterpret_cast<sockaddr*>(&address_), &length), 0);
  }

  /// Blocks 1, 2, … of these sizes, each of its own letter.
  std::vector<TftpPacket> blocks(const std::vector<std::size_t>& sizes) {
    std::vector<TftpPacket> packets;
    payloads_.clear();
    payloads_.reserve(sizes.size());
    for (const std::size_t size : sizes) {
      const auto number = static_cast<std::uint16_t>(packets.size() + 1);
      payloads_.emplace_back(size, static_cast<std::uint8_t>('a' + number % 26));
      packets.push_back({.header = tftp::data_header(number), .payload = payloads_.back()});
    }
    return packets;
  }

  /// The next datagram as one that does not know of segments sees it; empty: none came.
  Bytes receive() {
    pollfd ready{.fd = there_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kWaitMs) != 1) return {};
    Bytes bytes(70'000);
    const ssize_t size = ::recv(there_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
  }

  void expect_blocks(const std::vector<std::size_t>& sizes) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const Bytes datagram = receive();
      const auto data = tftp::decode_data(datagram);
      ASSERT_TRUE(data) << "block " << i + 1 << " of " << datagram.size() << " bytes";
      EXPECT_EQ(data->block, i + 1);
      EXPECT_EQ(Bytes(data->payload.begin(), data->payload.end()), payloads_[i]) << i + 1;
    }
    EXPECT_LT(::recv(there_.get(), nullptr, 0, MSG_DONTWAIT), 0) << "more than was sent";
  }

  UniqueFd here_, there_;
  sockaddr_in address_{};
  std::vector<Bytes> payloads_;
};

TEST_F(TftpBatchSender, SendsEachAsADatagramOfItsOwn) {
  BatchSender sender(address_);
  for (const auto& sizes : std::vector<std::vector<std::size_t>>{
           {1428},
           {1428, 1428, 1428},
           {512, 512, 0},       // the end of a file that is a multiple of the block
           {512, 100, 512, 7},  // a run ends with the shorter one
           {100, 512},
           std::vector<std::size_t>(kTftpBatchMax, 1428),
           std::vector<std::size_t>(3 * kTftpBatchMax + 5, 8),
           std::vector<std::size_t>(kTftpBatchMax, 9000),  // longer together than an IP packet
           {65'464, 65'464, 3}}) {
    EXPECT_TRUE(sender.send(here_.get(), blocks(sizes)));
    expect_blocks(sizes);
  }
}

/// A receiver that takes them uncut sees what went down as one.
TEST_F(TftpBatchSender, HandsARunToTheKernelAtOnce) {
  const int on = 1;
  ASSERT_EQ(::setsockopt(there_.get(), SOL_UDP, UDP_GRO, &on, sizeof on), 0);
  BatchSender sender(address_);
  EXPECT_TRUE(sender.send(here_.get(), blocks(std::vector<std::size_t>(kTftpBatchMax, 1428))));
  EXPECT_EQ(receive().size(), kTftpBatchMax * (1428 + tftp::kHeaderBytes));
}

/// Without checksums of its own a socket may not send segments (EINVAL); nor do some devices.
TEST_F(TftpBatchSender, SendsOneByOneWhereTheKernelRefusesSegments) {
  const int on = 1;
  ASSERT_EQ(::setsockopt(here_.get(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
  BatchSender sender(address_);
  for (int round = 0; round < 2; ++round) {
    const std::vector<std::size_t> sizes(5, 1428);
    EXPECT_TRUE(sender.send(here_.get(), blocks(sizes)));
    expect_blocks(sizes);
  }
}

TEST_F(TftpBatchSender, TellsThatASendFailed) {
  BatchSender sender(address_);
  ASSERT_EQ(::connect(here_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
            0);
  there_.reset();
  bool good = true;  // the refusal of the first is told to a later one
  for (int i = 0; i < 100 && good; ++i) good = sender.send(here_.get(), blocks({8, 8}));
  EXPECT_FALSE(good);
}

}  // namespace
}  // namespace farboot
