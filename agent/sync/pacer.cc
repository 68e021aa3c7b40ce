#include "agent/sync/pacer.h"

#include <algorithm>

namespace farboot {

Milliseconds Pacer::took(std::uint64_t bytes, std::uint64_t bytes_per_second, SteadyTime now) {
  using Nanoseconds = std::chrono::nanoseconds;
  if (bytes_per_second == 0) {
    paid_until_ = now;
    return Milliseconds(0);
  }
  const double seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second);
  // Idle time is credit for a second at most.
  paid_until_ = std::max(paid_until_, now - Seconds(1)) +
                Nanoseconds(static_cast<std::int64_t>(std::min(seconds, 1e6) * 1e9));
  if (paid_until_ <= now) return Milliseconds(0);
  return std::chrono::ceil<Milliseconds>(paid_until_ - now);
}

}  // namespace farboot
