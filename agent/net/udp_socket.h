// A UDP socket that knows by which interface and address a packet came, and leaves by the same.
// Plain system calls, never blocking; whoever owns the loop waits for readiness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/wire/address.h"

namespace farboot {

/// A rack that powers on sends its requests within one second.
inline constexpr int kReceiveRoomBytes = 1 << 20;

struct UdpBinding {
  Ipv4 address;  ///< 0.0.0.0: every address; 255.255.255.255: limited broadcasts only
  std::uint16_t port = 0;
  bool reuse = false;      ///< another program may hold the port too (SO_REUSEADDR)
  bool broadcast = false;  ///< may send to a broadcast address
};

struct UdpArrival {
  std::size_t size_bytes = 0;  ///< of the packet, cut to the buffer
  bool cut = false;            ///< it was longer than the buffer
  Ipv4 source;
  std::uint16_t source_port = 0;
  int interface = 0;
  Ipv4 destination;  ///< as in the IP header; may be a broadcast address
  Ipv4 local;        ///< our address to answer from
};

struct UdpRoute {
  Ipv4 to;
  std::uint16_t to_port = 0;
  Ipv4 from;          ///< zero: the kernel chooses
  int interface = 0;  ///< zero: by the routing table
};

class DatagramSocket {
 public:
  virtual ~DatagramSocket() = default;
  virtual int fd() const = 0;  ///< readable when a packet waits
  virtual std::uint16_t port() const = 0;
  /// The next packet waiting; nullopt: none, or only an error report of the kernel's.
  virtual std::optional<UdpArrival> receive(std::span<std::uint8_t> buffer) const = 0;
  /// Errors: unavailable. A full send buffer counts as sent: UDP promises nothing.
  virtual Result<void> send(ByteView packet, const UdpRoute& route) const = 0;

 protected:
  DatagramSocket() = default;
  DatagramSocket(DatagramSocket&&) = default;
  DatagramSocket& operator=(DatagramSocket&&) = default;
};

/// Room for what comes in at once: beyond the system's limit where we may, else up to it. Returns
/// what the kernel gave; less than asked for is logged once.
int widen_receive_buffer(int fd, int bytes);

/// The UDP socket hears what is sent to a multicast group on this interface, too; again is
/// harmless. Errors: unavailable.
Result<void> join_group(int fd, Ipv4 group, int interface);

/// Sends by the interface and from the address of the route. Errors: unavailable.
Result<void> send_by(int fd, ByteView packet, const UdpRoute& route);

class UdpSocket final : public DatagramSocket {
 public:
  /// Errors: denied (a port below 1024 without the capability), conflict (held by another program),
  /// unavailable.
  static Result<UdpSocket> open(const UdpBinding& binding);

  int fd() const override { return fd_.get(); }
  std::uint16_t port() const override;
  std::optional<UdpArrival> receive(std::span<std::uint8_t> buffer) const override;
  Result<void> send(ByteView packet, const UdpRoute& route) const override;

 private:
  explicit UdpSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace farboot
