// want → chunk over the channel to the controller.
#pragma once

#include <memory>
#include <mutex>

#include "agent/sync/upstream.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace farboot {

class GrpcUpstream final : public Upstream {
 public:
  explicit GrpcUpstream(std::shared_ptr<grpc::Channel> channel);

  Result<void> fetch(const Digest& release, std::span<const Digest> want,
                     const Take& take) override;
  /// Ends the fetch under way. Any thread.
  void cancel();

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::mutex mutex_;
  grpc::ClientContext* running_ = nullptr;
};

}  // namespace farboot
