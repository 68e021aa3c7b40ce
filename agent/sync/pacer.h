// Bytes per second, enforced where they arrive. Pure.
#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace farboot {

/// A token bucket that holds one second's worth. One owner, one thread.
class Pacer {
 public:
  /// `bytes` arrived `now`: how long to wait before reading on. 0 bytes per second: no limit. The
  /// rate may be another one each time.
  Milliseconds took(std::uint64_t bytes, std::uint64_t bytes_per_second, SteadyTime now);

 private:
  SteadyTime paid_until_{};  ///< what came so far is worth the time up to here
};

}  // namespace farboot
