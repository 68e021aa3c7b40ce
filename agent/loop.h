// The agent's loop: one thread that owns all serving state. Jobs that may block on the disk run on
// a small pool, and the coroutine goes on on the loop. HTTP connections live on loops of their own
// (agent/http/worker.h).
#pragma once

#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/log.h"

// g++ 12 takes Asio's pair of coroutine frame allocators for a mismatch wherever it inlines only
// one of them. To the end of the file that includes this: the warning falls on the coroutine.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace farboot {

/// A coroutine on the loop. After each co_await the world has changed: hold no iterator across one.
template <class T>
using Task = boost::asio::awaitable<T>;

using Loop = boost::asio::io_context;       ///< run by exactly one thread
using DiskPool = boost::asio::thread_pool;  ///< two threads: RocksDB, hashing, reading packs

/// Starts `task` on the loop. A library's exception ends here, as one `internal` log line; it never
/// takes the daemon down. The caller's objects must outlive the task.
template <class T>
void spawn(Loop& loop, std::string_view name, Task<T> task) {
  auto done = [name](const std::exception_ptr& error, auto&&...) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log::error("loop.task_failed", log::kv("task", name), log::kv("error", e.what()));
    } catch (...) {
      log::error("loop.task_failed", log::kv("task", name), log::kv("error", "unknown"));
    }
  };
  boost::asio::co_spawn(loop, std::move(task), std::move(done));
}

/// Runs `job` on the pool and resumes on the loop with its value. g++ 12.2 destroys twice a
/// capturing lambda written inside a co_await expression: name the job first, then co_await
/// on_disk(pool, std::move(job)).
template <class Job>
Task<std::invoke_result_t<Job&>> on_disk(DiskPool& pool, Job job) {
  auto body = [](Job inner) -> Task<std::invoke_result_t<Job&>> { co_return inner(); };
  co_return co_await boost::asio::co_spawn(pool, body(std::move(job)), boost::asio::use_awaitable);
}

}  // namespace farboot
