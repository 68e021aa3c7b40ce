// The stores under the contract test suite, each with its way to let a chunk rot at rest.
#pragma once

#include <memory>
#include <random>
#include <string>

#include "common/store/memory_store.h"

namespace farboot::test {

/// `size` bytes from a seeded generator: the same seed gives the same bytes on every machine.
inline Bytes noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

struct MemoryHarness {
  MemoryStore memory;
  ContentStore& store() { return memory; }
  void rot(const Digest& id) { memory.rot(id); }
  static std::unique_ptr<MemoryHarness> with_budget(std::uint64_t bytes) {
    return std::unique_ptr<MemoryHarness>(new MemoryHarness{MemoryStore(bytes)});
  }
};

}  // namespace farboot::test
