#include "common/store/known_chunks.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace farboot {
namespace {

/// Sets of slots, as a processor's cache has them: about 200 KB for some gigabytes of packages.
constexpr std::size_t kSets = 1024;
constexpr std::size_t kWays = 4;

template <class Slots>
auto set_of(Slots& slots, const Digest& id) {
  std::uint32_t value;
  std::memcpy(&value, id.bytes.data(), sizeof value);
  return std::span(slots).subspan(value % kSets * kWays, kWays);
}

}  // namespace

bool KnownChunks::checked(const Digest& id) const {
  return state_.with([&](const State& state) { return state.checked.contains(id); });
}

void KnownChunks::set_checked(const Digest& id) {
  state_.with([&](State& state) { state.checked.insert(id); });
}

std::optional<ChunkPlace> KnownChunks::place(const Digest& id) const {
  return state_.with([&](const State& state) -> std::optional<ChunkPlace> {
    if (state.slots.empty()) return std::nullopt;
    for (const Slot& slot : set_of(state.slots, id)) {
      if (slot.place.size_bytes != 0 && slot.id == id) return slot.place;
    }
    return std::nullopt;
  });
}

void KnownChunks::set_place(const Digest& id, const ChunkPlace& place) {
  state_.with([&](State& state) {
    if (!state.checked.contains(id)) return;
    if (state.slots.empty()) state.slots.resize(kSets * kWays);
    const auto set = set_of(state.slots, id);
    auto slot = std::find_if(set.begin(), set.end(), [&](const Slot& s) { return s.id == id; });
    if (slot == set.end()) slot = set.end() - 1;  // the one that came first goes
    std::move_backward(set.begin(), slot, slot + 1);
    set.front() = {id, place};
  });
}

void KnownChunks::forget(const Digest& id) {
  state_.with([&](State& state) {
    state.checked.erase(id);
    if (state.slots.empty()) return;
    for (Slot& slot : set_of(state.slots, id)) {
      if (slot.id == id) slot = {};
    }
  });
}

}  // namespace farboot
