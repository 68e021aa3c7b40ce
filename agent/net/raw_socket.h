// UDP broadcasts to one port, beside whoever holds the port: whole IP packets from the link layer.
#pragma once

#include <memory>

#include "agent/net/udp_socket.h"

namespace farboot {

/// Sees what is sent to 255.255.255.255 at its port on any interface, and nothing else; sends only
/// broadcasts. Needs CAP_NET_RAW.
class RawSocket final : public DatagramSocket {
 public:
  /// Errors: denied, unavailable.
  static Result<std::unique_ptr<RawSocket>> open(std::uint16_t port);
  /// As open() made it.
  RawSocket(UniqueFd fd, std::uint16_t port) : fd_(std::move(fd)), port_(port) {}

  int fd() const override { return fd_.get(); }
  std::uint16_t port() const override { return port_; }
  std::optional<UdpArrival> receive(std::span<std::uint8_t> buffer) const override;
  /// `route.to` must be 255.255.255.255, with an interface. Errors: invalid, unavailable.
  Result<void> send(ByteView packet, const UdpRoute& route) const override;

 private:
  UniqueFd fd_;
  std::uint16_t port_;
};

}  // namespace farboot
