// Waiting for what other threads do: until it is so, and not a fixed time.
#pragma once

#include <poll.h>

#include <chrono>

namespace farboot {

/// True as soon as `condition()` is; false after a hundred seconds, which is a failed test.
template <class Condition>
bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(100);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    ::poll(nullptr, 0, 2);  // the others need the processor too
  }
  return true;
}

}  // namespace farboot
