// want → chunk over the channel to the controller.
#pragma once

#include <memory>
#include <mutex>

#include "agent/sync/upstream.h"
#include "common/base/clock.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace farboot {

class GrpcUpstream final : public Upstream {
 public:
  /// `silence`: how long nothing may come; each time nothing came, the next fetch waits longer.
  /// `malformed`: lines on chunks that cannot be decoded. It outlives this, which is one
  /// connection: who comes and goes writes no more of them. Fetch()'s thread only.
  GrpcUpstream(std::shared_ptr<grpc::Channel> channel, Milliseconds silence, LogLimit& malformed);

  Result<void> fetch(const Digest& release, std::span<const Digest> want,
                     const Take& take) override;
  /// Ends the fetch under way; the next one may begin. Any thread.
  void cancel();
  /// The connection is gone: ends the fetch under way and every later one at once. Any thread.
  void close();

 private:
  std::shared_ptr<grpc::Channel> channel_;
  const Milliseconds silence_max_;
  LogLimit& malformed_;
  Milliseconds silence_;  ///< of the next fetch; fetch()'s thread only
  std::mutex mutex_;
  grpc::ClientContext* running_ = nullptr;
  bool cancelled_ = false;  ///< the one that runs, by us
  bool closed_ = false;
};

}  // namespace farboot
