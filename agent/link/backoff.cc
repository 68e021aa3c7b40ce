#include "agent/link/backoff.h"

#include <algorithm>

namespace farboot {

Milliseconds Backoff::up_to(Milliseconds bound) {
  // A tenth at least: a delay of nothing would hammer whatever just refused.
  std::uniform_int_distribution<std::int64_t> any(bound.count() / 10, bound.count());
  return Milliseconds(any(random_));
}

Milliseconds Backoff::next() {
  bound_ = std::clamp(bound_ * 2, limits_.first, limits_.longest);
  return up_to(bound_);
}

Milliseconds Backoff::after_loss(Milliseconds spread) {
  reset();
  return up_to(std::clamp(spread, limits_.first, limits_.longest));
}

}  // namespace farboot
