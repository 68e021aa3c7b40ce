// A UDP datagram with its IPv4 header, for a socket that sees and sends whole IP packets (RFC 768,
// RFC 791).
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/wire/address.h"

namespace farboot {

struct IpDatagram {
  Ipv4 from;
  std::uint16_t from_port = 0;
  Ipv4 to;
  std::uint16_t to_port = 0;
  ByteView payload;  ///< borrows from the packet
};

/// `packet` begins with the IP header and may be longer than it says (a frame's padding). Checksums
/// are not compared: a packet from this machine's own virtual links has none yet. Errors: invalid,
/// also for a fragment.
Result<IpDatagram> decode_ip_datagram(ByteView packet);

/// With both checksums, no options, not fragmented, time to live 64. Errors: invalid, if the
/// payload is longer than a datagram can be.
Result<Bytes> encode_ip_datagram(const IpDatagram& datagram);

}  // namespace farboot
