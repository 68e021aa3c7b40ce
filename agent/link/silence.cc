#include "agent/link/silence.h"

#include <grpcpp/client_context.h>

namespace farboot {

SilenceWatch::SilenceWatch(grpc::ClientContext& context, Milliseconds limit)
    : context_(context), limit_(limit), thread_([this] { watch(); }) {}

SilenceWatch::~SilenceWatch() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  closing_.notify_all();
  thread_.join();
}

void SilenceWatch::waiting() {
  const std::lock_guard lock(mutex_);
  since_ = system_clock().steady();
}

void SilenceWatch::heard() {
  const std::lock_guard lock(mutex_);
  since_.reset();
}

bool SilenceWatch::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

/// Looks once in `limit`: nobody is woken for each message.
void SilenceWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    const SteadyTime now = system_clock().steady();
    const SteadyTime until = since_.value_or(now) + limit_;
    if (until <= now) {
      ended_ = true;
      context_.TryCancel();
      return;
    }
    closing_.wait_for(lock, until - now);
  }
}

}  // namespace farboot
