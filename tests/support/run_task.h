// Runs one coroutine to its end on a loop of its own.
#pragma once

#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include "agent/loop.h"

namespace farboot {

template <class T>
T run_task(Loop& loop, Task<T> task) {
  std::optional<T> value;
  auto done = [&value](std::exception_ptr error, T result) {
    if (error) std::rethrow_exception(error);
    value.emplace(std::move(result));
  };
  boost::asio::co_spawn(loop, std::move(task), std::move(done));
  loop.restart();
  loop.run();
  return std::move(*value);
}

template <class T>
T run_task(Task<T> task) {
  Loop loop;
  return run_task(loop, std::move(task));
}

}  // namespace farboot
