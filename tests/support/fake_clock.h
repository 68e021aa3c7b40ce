// A clock that stands still until a test moves it.
#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace farboot {

/// Thread-safe. Both clocks move together; the wall clock may be set apart.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime wall = WallTime(Seconds(1'790'000'000))) : wall_(wall) {}

  WallTime wall() const override { return wall_.load(); }
  SteadyTime steady() const override { return steady_.load(); }

  void advance(Milliseconds by) {
    wall_.store(wall_.load() + by);
    steady_.store(steady_.load() + by);
  }
  void set_wall(WallTime wall) { wall_.store(wall); }

 private:
  std::atomic<WallTime> wall_;
  std::atomic<SteadyTime> steady_{SteadyTime(Seconds(1000))};
};

}  // namespace farboot
