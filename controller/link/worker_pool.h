// Threads for what may block on the disk, so that gRPC's own never do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace farboot {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  /// Runs what was posted, then ends.
  ~WorkerPool();

  /// Thread-safe. Jobs of one thread may run at the same time as others, in any order.
  void post(std::function<void()> job);
  /// Jobs not begun yet.
  std::size_t waiting() const;

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace farboot
