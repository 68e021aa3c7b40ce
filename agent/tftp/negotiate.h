// What a client asks for in its options against what we grant. Pure.
#pragma once

#include <cstdint>

#include "agent/tftp/send_file.h"
#include "common/wire/tftp.h"

namespace farboot {

struct TftpCaps {
  std::uint32_t block_bytes_max = 1468;
  std::uint32_t window_blocks_max = 64;
  TftpTiming timing;
};

/// Grants blksize, tsize, timeout and windowsize, each once, in the client's order and spelling,
/// never more than it asked for; ignores every other option and every value out of its range.
TftpTransfer negotiate(const tftp::Request& request, std::uint64_t size_bytes,
                       const TftpCaps& caps);

}  // namespace farboot
