// One thread that does jobs in order, so that hashing, reading and writing overlap.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace farboot {

class Worker {
 public:
  /// At most `waiting_max` jobs wait; post() blocks meanwhile.
  explicit Worker(std::size_t waiting_max);
  /// Does what still waits, then ends the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(std::function<void()> job);
  /// Returns when every posted job is done.
  void drain();

 private:
  void run();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool busy_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace farboot
