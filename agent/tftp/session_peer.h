// The two ways a session reaches its client: by a port of its own, or through port 69.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "agent/net/udp_socket.h"
#include "agent/tftp/peer.h"

namespace farboot {

/// Who asks, and at which of our addresses.
struct TftpParties {
  Ipv4 client;
  std::uint16_t client_port = 0;
  Ipv4 server;
  int interface = 0;  ///< answers leave by it; 0: by the routing table
};

/// A peer that can be joined by a repeated request and shut from outside.
class TftpSessionPeer : public TftpPeer {
 public:
  /// Our first packet once more, while the client has not answered it: it repeated its request.
  virtual void resend_first() = 0;
  /// Something came from the client since the session began, or within the last `time`.
  virtual bool answered() const = 0;
  virtual bool heard_within(Milliseconds time) const = 0;
  /// Ours, that the client sees.
  virtual std::uint16_t port() const = 0;
  /// receive() gives `gone` from now on.
  virtual void close() = 0;
  /// For a peer without a socket of its own: what came for it. Bounded; the rest is dropped.
  virtual void deliver(ByteView packet) = 0;
};

/// By a port of its own (0: any free one), bound to the address the client asked. Errors: conflict,
/// unavailable.
Result<std::unique_ptr<TftpSessionPeer>> open_session_port(Loop& loop, const TftpParties& parties,
                                                           std::uint16_t port);

/// Through the server's socket, which the peer borrows.
std::unique_ptr<TftpSessionPeer> share_server_port(Loop& loop, const UdpSocket& socket,
                                                   const TftpParties& parties);

}  // namespace farboot
