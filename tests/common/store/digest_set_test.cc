#include "common/store/digest_set.h"

#include <random>
#include <unordered_set>

#include <gtest/gtest.h>

namespace farboot {
namespace {

Digest name(std::uint64_t seed) {
  Digest id;
  for (std::size_t i = 0; i < id.bytes.size(); i += 8) {
    // splitmix64: cheap, and as even as a digest
    std::uint64_t word = (seed * 4 + i / 8 + 1) * 0x9e3779b97f4a7c15;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    word ^= word >> 31;
    std::memcpy(id.bytes.data() + i, &word, 8);
  }
  return id;
}

TEST(DigestSet, AgreesWithASetOfTheLibrary) {
  std::mt19937_64 random(1);
  DigestSet set;
  std::unordered_set<Digest, DigestHash> known;
  for (int i = 0; i < 30'000; ++i) {
    const Digest id = name(random() % 3000);
    if (random() % 3 == 0) {
      set.erase(id);
      known.erase(id);
    } else {
      set.insert(id);
      known.insert(id);
    }
    const Digest other = name(random() % 3000);
    ASSERT_EQ(set.contains(other), known.contains(other)) << i;
  }
  EXPECT_EQ(set.size(), known.size());
}

TEST(DigestSet, IsEmptyAtFirst) {
  DigestSet set;
  EXPECT_FALSE(set.contains(name(1)));
  set.erase(name(1));
  EXPECT_EQ(set.size(), 0u);
  EXPECT_EQ(set.memory_bytes(), 0u);
}

TEST(DigestSet, CostsFewBytesForEachHoweverMany) {
  DigestSet set;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    set.insert(name(i));
    if (i > 100) {
      ASSERT_LE(set.memory_bytes(), 24 * set.size());
    }
  }
}

}  // namespace
}  // namespace farboot
