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

  /// Thread-safe. Jobs of one thread may run at the same time as others, in any order. `failed`
  /// follows a job that threw.
  void post(std::function<void()> job, std::function<void()> failed = {});
  /// Likewise, once `delay` has passed; not at all if the pool ends before.
  void post_in(Milliseconds delay, std::function<void()> job);
  /// Jobs not begun yet.
  std::size_t waiting() const;

 private:
  struct Job {
    std::function<void()> run, failed;
  };
  void run();
  /// Waits for it. Nothing to run: the pool has ended.
  Job next();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::multimap<SteadyTime, Job> later_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace farboot
