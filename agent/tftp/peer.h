// The client's end of one transfer, so that a session needs neither socket nor clock.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "agent/loop.h"
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/wire/tftp.h"

namespace farboot {

/// A packet to be sent: header and payload are joined on the wire, never copied together before.
struct TftpPacket {
  std::array<std::uint8_t, tftp::kHeaderBytes> header{};
  ByteView payload;
  std::size_t header_bytes = tftp::kHeaderBytes;  ///< 0: the payload is the whole packet
};

struct TftpArrival {
  enum class What : std::uint8_t {
    packet,   ///< `bytes` is valid until the next call of receive()
    silence,  ///< the deadline came first
    gone,     ///< nobody listens there any more, or the server stops
  };
  What what = What::silence;
  ByteView bytes;
};

/// Packets handed to a peer at once, at most.
constexpr std::size_t kTftpBatchMax = 32;

class TftpPeer {
 public:
  virtual ~TftpPeer() = default;
  /// Sends in order, as far as UDP promises anything.
  virtual void send(std::span<const TftpPacket> packets) = 0;
  /// The next packet from this client, and from nobody else. With a deadline that is past: what has
  /// come already, after everything else on the loop had its turn.
  virtual Task<TftpArrival> receive(SteadyTime deadline) = 0;
  virtual SteadyTime now() const = 0;
};

}  // namespace farboot
