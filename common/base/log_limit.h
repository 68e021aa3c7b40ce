// For lines that strangers can cause without end: some are written, the others counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/base/clock.h"

namespace farboot {

/// Of one event; each line it lets through says how many it did not. Not thread-safe.
class LogLimit {
 public:
  /// `burst` lines at once, after that one `every` so long.
  explicit LogLimit(std::uint32_t burst = 60, Milliseconds every = Seconds(1))
      : burst_(burst), every_(every), lines_(burst) {}

  /// For what a machine causes a few times in a boot, and a rack that is switched on all at once.
  static LogLimit of_a_rack() { return LogLimit(1000, Milliseconds(100)); }

  /// The lines left out since the last one that was written; nullopt: leave this one out too.
  std::optional<std::uint64_t> take(SteadyTime now) {
    if (!filled_) filled_ = now;
    const auto due = (now - *filled_) / every_;
    if (due > 0) {
      lines_ = static_cast<std::uint32_t>(std::min<std::int64_t>(burst_, lines_ + due));
      filled_ = *filled_ + due * every_;
    }
    if (lines_ == 0) {
      ++left_out_;
      return std::nullopt;
    }
    --lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  std::uint32_t burst_;
  Milliseconds every_;
  std::uint32_t lines_;
  std::optional<SteadyTime> filled_;
  std::uint64_t left_out_ = 0;
};

/// Who invents machines does not hide what those of the site do.
struct LogLimitByWhom {
  explicit LogLimitByWhom(const LogLimit& each = LogLimit()) : named(each), stranger(each) {}
  LogLimit named, stranger;
  LogLimit& of(bool known) { return known ? named : stranger; }
};

}  // namespace farboot
