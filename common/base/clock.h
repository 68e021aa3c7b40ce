// Time as something that is passed in, so that tests can hold it still.
#pragma once

#include <chrono>
#include <string>

namespace farboot {

using Seconds = std::chrono::seconds;
using Milliseconds = std::chrono::milliseconds;

/// Wall-clock time. May jump; a Pi without a clock chip boots in 1970.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
/// Never jumps. For timeouts, rates and retries.
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual SteadyTime steady() const = 0;
};

/// The machine's clocks. Thread-safe, lives for ever.
const Clock& system_clock();

/// `2026-01-31T08:15:00Z`, whole seconds, UTC.
std::string to_iso8601(WallTime time);

}  // namespace farboot
