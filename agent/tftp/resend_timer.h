// When to send again: from the measured round trip (RFC 6298, but never sooner than after twice the
// trip, up to the limit), doubled while nothing is heard.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "agent/tftp/send_file.h"

namespace farboot {

class ResendTimer {
 public:
  using Duration = std::chrono::microseconds;

  explicit ResendTimer(const TftpTiming& timing)
      : min_(timing.resend_margin_min), max_(timing.resend_max), current_(timing.first_resend) {}

  /// Wait this long for an answer. Also how long an answer to what was just sent may be on its way.
  Duration current() const { return current_; }
  /// nullopt until a round trip was measured.
  std::optional<Duration> round_trip() const { return smoothed_; }

  /// A round trip of a packet that was sent once: an answer to one of two sendings tells nothing
  /// (Karn). Ends what back_off() did.
  void measured(Duration trip) {
    if (!smoothed_) {
      smoothed_ = trip;
      variation_ = trip / 2;
    } else {
      const Duration off = *smoothed_ > trip ? *smoothed_ - trip : trip - *smoothed_;
      variation_ = (3 * variation_ + off) / 4;
      smoothed_ = (7 * *smoothed_ + trip) / 8;
    }
    current_ = settled();
  }

  /// An answer to one of several sendings tells how long a trip is at most. Ends what back_off()
  /// did beyond that: a line that loses much may not give another measurement for long.
  void at_most(Duration trip) {
    current_ = std::min(current_, std::max(settled(), trip + trip / 2 + min_));
  }

  /// Nothing came. The doubled time stays until measured() or at_most(): a path that became slower
  /// must get the chance to show it.
  void back_off() { current_ = std::min(2 * current_, std::max(max_, current_)); }

 private:
  /// Many clients at once make a queue, and the trip twice as long within a few windows; a window
  /// sent again too early makes the queue longer still.
  Duration settled() const {
    if (!smoothed_) return Duration(0);
    return std::min(*smoothed_ + std::max({4 * variation_, *smoothed_, min_}), max_);
  }

  Duration min_, max_, current_;
  std::optional<Duration> smoothed_;
  Duration variation_{0};
};

}  // namespace farboot
