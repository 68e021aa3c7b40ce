// A call whose end is decided ends soon, also if the other side takes nothing any more.
#pragma once

#include <memory>
#include <mutex>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include "common/base/clock.h"

namespace farboot {

/// The end of a call one of whose jobs threw: the other side must not wait for it for ever.
inline grpc::Status job_failed() {
  return {grpc::StatusCode::INTERNAL, "a step failed at the controller, whose log says more"};
}

/// The message that is being written goes out first and the status after it, so that the other side
/// learns why; after a grace the call is cancelled instead. One of a call.
class CutOff {
 public:
  static constexpr Seconds kGrace{10};

  explicit CutOff(grpc::CallbackServerContext& context) : call_(std::make_shared<Call>()) {
    call_->context = &context;
  }
  /// The end is decided. Once.
  void arm() {
    const auto deadline = std::chrono::system_clock::now() + kGrace;
    alarm_.Set(deadline, [call = call_](bool due) {
      const std::lock_guard lock(call->mutex);
      if (due && call->context != nullptr) call->context->TryCancel();
    });
  }
  /// From the reactor's OnDone(): gRPC's context is gone after that.
  void done() {
    {
      const std::lock_guard lock(call_->mutex);
      call_->context = nullptr;
    }
    alarm_.Cancel();
  }

 private:
  struct Call {
    std::mutex mutex;
    grpc::CallbackServerContext* context = nullptr;
  };
  std::shared_ptr<Call> call_;
  grpc::Alarm alarm_;
};

}  // namespace farboot
