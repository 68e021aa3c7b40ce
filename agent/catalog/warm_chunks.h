// Which chunks were found in memory a moment ago: many machines ask for the same packages at the
// same time, and a look at a chunk's pages is not free.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "common/base/clock.h"
#include "common/content/digest.h"

namespace farboot {

/// How long pages that were in memory are believed to stay there.
inline constexpr Milliseconds kWarmTime{2'000};

/// A guess, good for nothing but speed. One owner; not thread-safe.
class WarmChunks {
 public:
  bool recent(const Digest& id, SteadyTime now) const {
    if (slots_.empty()) return false;
    const Slot& slot = slots_[key(id) % kSlots];
    return slot.key == key(id) && now >= slot.seen && now - slot.seen < kWarmTime;
  }
  /// All of it, looked at now.
  void seen(const Digest& id, SteadyTime now) {
    if (slots_.empty()) slots_.resize(kSlots);
    slots_[key(id) % kSlots] = {key(id), now};
  }

 private:
  static constexpr std::size_t kSlots = 8192;  // 128 KB
  struct Slot {
    std::uint64_t key = 0;
    SteadyTime seen{};
  };
  static std::uint64_t key(const Digest& id) {
    std::uint64_t value;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }

  std::vector<Slot> slots_;
};

}  // namespace farboot
