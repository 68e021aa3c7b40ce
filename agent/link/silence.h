// A call whose other side takes it and then says nothing more. gRPC's own keepalive does not see
// that: the connection is well.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "common/base/clock.h"

namespace grpc {
class ClientContext;
}

namespace farboot {

/// Cancels a call of which nothing was heard for `limit` (at most twice that) while somebody
/// waited, so that whoever waits comes back. Thread-safe.
class SilenceWatch {
 public:
  /// Borrows `context`.
  SilenceWatch(grpc::ClientContext& context, Milliseconds limit);
  ~SilenceWatch();

  /// From now on it is the other side's turn.
  void waiting();
  /// It is ours: what we do with what came, our own pauses among it, does not count.
  void heard();
  /// The call was cancelled here.
  bool ended() const;

 private:
  void watch();

  grpc::ClientContext& context_;
  const Milliseconds limit_;
  mutable std::mutex mutex_;
  std::condition_variable closing_;
  std::optional<SteadyTime> since_;  ///< somebody waits
  bool closed_ = false, ended_ = false;
  std::thread thread_;  ///< last: it uses the others
};

}  // namespace farboot
