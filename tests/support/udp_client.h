// A blocking UDP socket for tests; every wait is bounded.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/unique_fd.h"
#include "common/wire/address.h"

namespace farboot {

struct UdpMessage {
  Bytes bytes;
  Ipv4 from;
  std::uint16_t from_port = 0;
};

class UdpClient {
 public:
  /// `device`: leave by, and hear, this interface only (needs root).
  explicit UdpClient(Ipv4 address = Ipv4::of(127, 0, 0, 1), std::uint16_t port = 0,
                     const std::string& device = "")
      : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    // A port of its own must be that: with this set, the kernel gives out one twice now and then.
    if (port != 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!device.empty()) {
      EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                             static_cast<socklen_t>(device.size())),
                0);
    }
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in own = to_sockaddr(address, port);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  }

  void send(ByteView packet, Ipv4 to, std::uint16_t port) const {
    const sockaddr_in address = to_sockaddr(to, port);
    EXPECT_EQ(::sendto(fd_.get(), packet.data(), packet.size(), 0,
                       reinterpret_cast<const sockaddr*>(&address), sizeof address),
              static_cast<ssize_t>(packet.size()))
        << std::strerror(errno);
  }
  /// nullopt after 20 seconds: a failed test.
  std::optional<UdpMessage> receive() const {
    std::array<std::uint8_t, 65536> buffer;
    sockaddr_in source{};
    socklen_t length = sizeof source;
    const ssize_t size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                    reinterpret_cast<sockaddr*>(&source), &length);
    if (size < 0) return std::nullopt;
    return UdpMessage{.bytes = {buffer.begin(), buffer.begin() + size},
                      .from = Ipv4{ntohl(source.sin_addr.s_addr)},
                      .from_port = ntohs(source.sin_port)};
  }
  /// True if a message is there already; does not wait.
  bool waiting() const {
    char byte;
    return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }
  int fd() const { return fd_.get(); }
  std::uint16_t port() const {
    sockaddr_in own{};
    socklen_t length = sizeof own;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &length);
    return ntohs(own.sin_port);
  }

 private:
  static sockaddr_in to_sockaddr(Ipv4 address, std::uint16_t port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(address.value);
    return in;
  }
  UniqueFd fd_;
};

}  // namespace farboot
