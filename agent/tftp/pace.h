// How a window goes out: at once, or after repeated loss in smaller bursts with gaps between them.
// The window itself cannot shrink: the client acknowledges only a full one (RFC 7440).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace farboot {

class Pace {
 public:
  using Duration = std::chrono::microseconds;

  /// Blocks to send before the next look at what the client says.
  std::uint32_t burst_blocks() const { return level_ == 0 ? kBurstBlocks : kLossyBlocks >> level_; }
  /// How long to wait between two bursts; 0: only let others have their turn.
  Duration gap(std::optional<Duration> round_trip) const {
    if (level_ == 0) return Duration(0);
    return std::clamp(round_trip.value_or(kGapMax) / 8, kGapMin, kGapMax);
  }

  void window_lost() {
    // One loss is chance; the second within a few windows is a queue that overflows.
    if (windows_since_loss_ < kNearWindows) level_ = std::min(level_ + 1, kLevelMax);
    windows_since_loss_ = 0;
  }
  void window_passed() {
    if (++windows_since_loss_ % kCleanWindows == 0 && level_ > 0) --level_;
  }

 private:
  static constexpr std::uint32_t kBurstBlocks = 32;  ///< as much as goes to the kernel at once
  static constexpr std::uint32_t kLossyBlocks = 16;
  static constexpr unsigned kLevelMax = 3;
  static constexpr unsigned kNearWindows = 3;
  static constexpr unsigned kCleanWindows = 8;
  static constexpr Duration kGapMin{100};
  static constexpr Duration kGapMax{5000};

  unsigned level_ = 0;
  unsigned windows_since_loss_ = kNearWindows;
};

}  // namespace farboot
