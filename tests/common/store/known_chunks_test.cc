#include "common/store/known_chunks.h"

#include <random>

#include <gtest/gtest.h>

namespace farboot {
namespace {

Digest random_name(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Digest id;
  for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
  return id;
}

ChunkPlace place_of(std::uint32_t i) {
  return {.pack = i + 1, .offset = i * 7, .size_bytes = i + 1};
}

TEST(KnownChunks, NeverNamesAPlaceThatWasNotItsOwn) {
  KnownChunks known;
  std::size_t found = 0;
  constexpr std::uint32_t kChunks = 20'000;  // far more than are remembered
  for (std::uint32_t i = 0; i < kChunks; ++i) {
    known.set_checked(random_name(i));
    known.set_place(random_name(i), place_of(i));
    EXPECT_EQ(known.place(random_name(i)), place_of(i)) << "the last one used";
  }
  for (std::uint32_t i = 0; i < kChunks; ++i) {
    const auto place = known.place(random_name(i));
    if (!place) continue;
    ++found;
    ASSERT_EQ(*place, place_of(i));
  }
  EXPECT_GT(found, 3'000U);
  EXPECT_LT(found, kChunks / 2) << "it is bounded";
}

TEST(KnownChunks, ForgetsBoth) {
  KnownChunks known;
  EXPECT_FALSE(known.place(random_name(1)));
  known.set_place(random_name(1), place_of(1));
  EXPECT_FALSE(known.place(random_name(1))) << "only of what was checked";
  known.set_checked(random_name(1));
  known.set_place(random_name(1), place_of(1));
  known.set_place(random_name(1), place_of(2));  // it moved
  EXPECT_EQ(known.place(random_name(1)), place_of(2));
  known.forget(random_name(1));
  EXPECT_FALSE(known.checked(random_name(1)));
  known.set_checked(random_name(1));
  EXPECT_FALSE(known.place(random_name(1)));
}

}  // namespace
}  // namespace farboot
