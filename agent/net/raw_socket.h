// UDP to one port, beside whoever holds the port: whole IP packets from the link layer.
#pragma once

#include <memory>

#include "agent/net/udp_socket.h"

namespace farboot {

enum class RawHears : std::uint8_t {
  broadcasts,  ///< what is sent to 255.255.255.255
  relayed      ///< what DHCP relays send to one address, be it ours or of a machine behind us
};

/// Sees copies of what is sent to its port on any interface; sends from that port. Needs
/// CAP_NET_RAW.
class RawSocket final : public DatagramSocket {
 public:
  /// Errors: denied, unavailable.
  static Result<std::unique_ptr<RawSocket>> open(std::uint16_t port, RawHears hears);
  /// As open() made it.
  RawSocket(UniqueFd link, UniqueFd ip, std::uint16_t port)
      : fd_(std::move(link)), ip_(std::move(ip)), port_(port) {}

  int fd() const override { return fd_.get(); }
  std::uint16_t port() const override { return port_; }
  std::optional<UdpArrival> receive(std::span<std::uint8_t> buffer) const override;
  /// A broadcast needs an interface. Errors: invalid, unavailable.
  Result<void> send(ByteView packet, const UdpRoute& route) const override;

 private:
  Result<void> broadcast(const Bytes& datagram, int interface) const;

  UniqueFd fd_;
  UniqueFd ip_;  ///< for what the kernel is to route
  std::uint16_t port_;
};

}  // namespace farboot
