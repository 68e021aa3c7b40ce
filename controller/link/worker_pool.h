// Threads for what may block on the disk, so that gRPC's own never do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/clock.h"

namespace farboot {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  /// Runs what was posted, then ends.
  ~WorkerPool();

  /// Thread-safe. Jobs of one thread may run at the same time as others, in any order.
  void post(std::function<void()> job);
  /// Likewise, once `delay` has passed; not at all if the pool ends before.
  void post_in(Milliseconds delay, std::function<void()> job);
  /// Jobs not begun yet.
  std::size_t waiting() const;

 private:
  void run();
  /// Waits for it. Empty: the pool has ended.
  std::function<void()> next();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::multimap<SteadyTime, std::function<void()>> later_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace farboot
