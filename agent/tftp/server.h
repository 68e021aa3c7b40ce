// Port 69: takes read requests, gives each its own session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/tftp/file_source.h"
#include "agent/tftp/send_file.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

struct TftpServerOptions {
  Ipv4 address;                         ///< 0.0.0.0: every address
  std::uint16_t port = 69;              ///< 0: any free one
  std::vector<std::string> interfaces;  ///< requests from others are dropped; empty: all
  /// Sessions answer from `port` itself instead of a port of their own: for NAT and firewalls.
  bool single_port = false;
  /// Ports of sessions, both ends included; 0: the kernel's choice.
  std::uint16_t session_port_first = 0;
  std::uint16_t session_port_last = 0;
  std::uint32_t block_bytes_max = 0;  ///< 0: MTU of the interface less 32
  std::uint32_t window_blocks_max = 64;
  std::size_t sessions_max = 512;
  std::size_t sessions_per_client_max = 64;
  /// Of clients that never answered: who asked may have been forged. Beyond it the oldest gives
  /// way.
  std::size_t sessions_unanswered_max = 128;
  /// A client that repeats its request gets our first packet again: so often, and so far apart.
  Milliseconds repeat_gap{500};
  unsigned repeats_max = 5;
  TftpTiming timing;
};

/// Everything on the loop. Counters only grow.
class TftpServer {
 public:
  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t sent = 0;       ///< files acknowledged to their last block
    std::uint64_t aborted = 0;    ///< ended by the client's ERROR, mostly size probes
    std::uint64_t refused = 0;    ///< answered with ERROR
    std::uint64_t lost = 0;       ///< client fell silent
    std::uint64_t dropped = 0;    ///< malformed, or beyond a limit
    std::uint64_t displaced = 0;  ///< never answered, and gave way to newer ones
    std::uint64_t sent_bytes = 0;
  };

  /// Borrows `loop` and `source`, which must outlive it.
  TftpServer(Loop& loop, TftpFileSource& source, TftpServerOptions options);
  ~TftpServer();  ///< as stop()
  TftpServer(const TftpServer&) = delete;
  TftpServer& operator=(const TftpServer&) = delete;

  /// Binds the port. Errors: denied, conflict, unavailable.
  Result<void> bind();
  /// Serves from now on; after bind().
  void start();
  /// Closes every socket. Sessions end at once; their coroutines unwind on the loop, so run it on.
  void stop();

  std::uint16_t port() const;
  std::size_t sessions() const;
  const Counters& counters() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace farboot
