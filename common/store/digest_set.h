// A set of digests that costs 11 to 22 bytes for each, whatever their number. It keeps 64 bits of a
// digest: two that share them are taken for one, so it may only answer questions where a wrong
// "yes" (one in 2^64 / number held) does no harm. One owner; not thread-safe.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "common/content/digest.h"

namespace farboot {

class DigestSet {
 public:
  bool contains(const Digest& id) const {
    return !slots_.empty() && slots_[find(key(id))] != kFree;
  }
  void insert(const Digest& id) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    std::uint64_t& slot = slots_[find(key(id))];
    if (slot != kFree) return;
    slot = key(id);
    ++used_;
  }
  void erase(const Digest& id) {
    if (slots_.empty()) return;
    std::size_t hole = find(key(id));
    if (slots_[hole] == kFree) return;
    --used_;
    // Close the gap, so that searches still find what had been pushed past it.
    for (std::size_t next = step(hole);; next = step(next)) {
      if (slots_[next] == kFree) break;
      const std::size_t home = slots_[next] & (slots_.size() - 1);
      const bool stays =
          hole <= next ? (hole < home && home <= next) : (hole < home || home <= next);
      if (stays) continue;
      slots_[hole] = slots_[next];
      hole = next;
    }
    slots_[hole] = kFree;
  }
  std::size_t size() const { return used_; }
  std::size_t memory_bytes() const { return slots_.capacity() * sizeof(std::uint64_t); }

 private:
  static constexpr std::uint64_t kFree = 0;
  static std::uint64_t key(const Digest& id) {
    std::uint64_t value;
    std::memcpy(&value, id.bytes.data() + 8, sizeof value);
    return value == kFree ? 1 : value;
  }
  std::size_t step(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }
  std::size_t find(std::uint64_t wanted) const {
    std::size_t at = wanted & (slots_.size() - 1);
    while (slots_[at] != kFree && slots_[at] != wanted) at = step(at);
    return at;
  }
  void grow() {
    std::vector<std::uint64_t> old(slots_.empty() ? 64 : slots_.size() * 2, kFree);
    old.swap(slots_);
    for (const std::uint64_t value : old) {
      if (value != kFree) slots_[find(value)] = value;
    }
  }

  std::vector<std::uint64_t> slots_;  ///< a power of two of them, at most three quarters used
  std::size_t used_ = 0;
};

}  // namespace farboot
