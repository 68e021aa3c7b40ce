#include "controller/link/worker_pool.h"

#include <exception>

#include "common/base/log.h"

namespace farboot {
namespace {

/// False: it threw.
bool survived(const std::function<void()>& step) {
  try {
    step();
    return true;
  } catch (const std::exception& e) {  // a library's; ours does not throw
    log::error("link.job_failed", log::kv("error", e.what()));
    return false;
  }
}

}  // namespace

WorkerPool::WorkerPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::post(std::function<void()> job, std::function<void()> failed) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(job), std::move(failed)});
  }
  wake_.notify_one();
}

void WorkerPool::post_in(Milliseconds delay, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    later_.emplace(system_clock().steady() + delay, Job{std::move(job), {}});
  }
  wake_.notify_one();
}

std::size_t WorkerPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

WorkerPool::Job WorkerPool::next() {
  std::unique_lock lock(mutex_);
  while (true) {
    const SteadyTime now = system_clock().steady();
    while (!later_.empty() && later_.begin()->first <= now) {
      jobs_.push_back(std::move(later_.begin()->second));
      later_.erase(later_.begin());
    }
    if (!jobs_.empty() || ending_) break;
    if (later_.empty()) {
      wake_.wait(lock);
    } else {
      const SteadyTime first = later_.begin()->first;
      wake_.wait_until(lock, first);
    }
  }
  if (jobs_.empty()) return {};
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  // Whoever it was meant for may be the one that waits for a later one.
  if (!jobs_.empty()) wake_.notify_one();
  return job;
}

void WorkerPool::run() {
  while (true) {
    const Job job = next();
    if (!job.run) return;
    if (!survived(job.run) && job.failed) survived(job.failed);
  }
}

}  // namespace farboot
