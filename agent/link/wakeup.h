// One thread wakes another: there may be something to look at.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "common/base/clock.h"

namespace farboot {

/// Level-triggered: `seen = count(); look(); wait(seen, …)` misses nothing. Thread-safe.
class Wakeup {
 public:
  void raise() {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    condition_.notify_all();
  }
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  /// Returns when raised after `seen`, or after `time`.
  void wait(std::uint64_t seen, Milliseconds time) const {
    std::unique_lock lock(mutex_);
    condition_.wait_for(lock, time, [&] { return count_ != seen; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable condition_;
  std::uint64_t count_ = 0;
};

}  // namespace farboot
