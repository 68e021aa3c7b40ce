// One transfer: a file to a client, block by block, as RFC 1350, 2347, 2348, 2349 and 7440 say.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "agent/tftp/file_source.h"
#include "agent/tftp/peer.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/wire/tftp.h"

namespace farboot {

struct TftpTiming {
  Milliseconds first_resend{1000};     ///< until a round trip was measured
  Milliseconds resend_margin_min{10};  ///< waited beyond a round trip, at least
  Milliseconds resend_max{8000};
  Milliseconds silence_max{30000};  ///< then the client is given up
  unsigned first_sends_max = 6;     ///< of a packet that was never answered: it may be forged
};

/// What was agreed on with the client.
struct TftpTransfer {
  std::uint32_t block_bytes = tftp::kBlockBytesDefault;
  std::uint32_t window_blocks = 1;
  std::vector<tftp::Option> oack;  ///< empty: none asked for, begin with DATA 1
  TftpTiming timing;
  std::size_t piece_bytes = 256 * 1024;  ///< read ahead
  /// If set: called when the last block is acknowledged; after that the session only lingers.
  std::function<void()> delivered;
};

/// Sends one file to one client; returns the bytes acknowledged. Borrows `peer` and `file` until
/// done. Errors: timeout (the client fell silent); cancelled (it sent ERROR, or is gone); or
/// whatever reading `file` reports, of which the client was told.
Task<Result<std::uint64_t>> send_file(TftpPeer& peer, TftpFile& file, TftpTransfer transfer);

}  // namespace farboot
