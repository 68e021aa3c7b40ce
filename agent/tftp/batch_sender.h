// Several packets to one address by as few system calls as the kernel allows: packets of one size
// go down as one (UDP_SEGMENT, Linux 4.18) and are cut apart just before the device.
#pragma once

#include <netinet/in.h>

#include <span>

#include "agent/tftp/peer.h"

namespace farboot {

class BatchSender {
 public:
  explicit BatchSender(const sockaddr_in& to) : to_(to) {}

  /// Sends all of them in order by `fd`, which does not block. What the kernel has no room for is
  /// lost like on the wire. False: a send failed; the reason may be that nobody listens there.
  bool send(int fd, std::span<const TftpPacket> packets);

 private:
  bool send_each(int fd, std::span<const TftpPacket> packets);
  bool send_as_one(int fd, std::span<const TftpPacket> packets);

  sockaddr_in to_;
  bool segments_ = true;  ///< until the kernel refuses to cut for this path
};

}  // namespace farboot
