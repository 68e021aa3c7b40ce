// When to dial again. Pure: no clock; the randomness is seeded.
#pragma once

#include <cstdint>
#include <random>

#include "common/base/clock.h"

namespace farboot {

struct BackoffLimits {
  Milliseconds first{1'000};
  Milliseconds longest{60'000};  ///< a site is back within a minute of its line
};

/// Exponential with full jitter: each delay is anything up to the bound, and the bound doubles. A
/// fleet that lost its controller at one moment comes back spread over time.
class Backoff {
 public:
  Backoff(BackoffLimits limits, std::uint64_t seed) : limits_(limits), random_(seed) {}

  /// The next delay after a failure.
  Milliseconds next();
  /// The delay after a connection that had worked: up to `spread`, which the controller told.
  Milliseconds after_loss(Milliseconds spread);
  /// Things work: the next failure begins anew.
  void reset() { bound_ = Milliseconds(0); }

 private:
  Milliseconds up_to(Milliseconds bound);

  BackoffLimits limits_;
  Milliseconds bound_{0};
  std::mt19937_64 random_;
};

}  // namespace farboot
