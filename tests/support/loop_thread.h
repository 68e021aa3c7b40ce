// The agent's loop, run by one thread for as long as the test needs it.
#pragma once

#include <future>
#include <thread>
#include <type_traits>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "agent/loop.h"

namespace farboot {

class LoopThread {
 public:
  LoopThread() : work_(boost::asio::make_work_guard(loop_)), thread_([this] { loop_.run(); }) {}
  ~LoopThread() { finish(); }

  Loop& loop() { return loop_; }

  /// Runs `job` on the loop and waits for its value.
  template <class Job>
  auto call(Job job) {
    std::packaged_task<std::invoke_result_t<Job&>()> task(std::move(job));
    auto value = task.get_future();
    boost::asio::post(loop_, [&task] { task(); });
    return value.get();
  }

  /// Runs what is left to its end. Objects on the loop must have been stopped, or it waits forever.
  void finish() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

 private:
  Loop loop_{1};
  boost::asio::executor_work_guard<Loop::executor_type> work_;
  std::thread thread_;
};

}  // namespace farboot
