#include "common/base/log_limit.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

constexpr SteadyTime kStart{Seconds(1000)};

TEST(LogLimit, WritesABurstAndThenOneAtATime) {
  LogLimit limit(3, Seconds(10));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.take(kStart), 0U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.take(kStart + Seconds(9)), std::nullopt);
  EXPECT_EQ(limit.take(kStart + Seconds(10)), 5U);
  EXPECT_EQ(limit.take(kStart + Seconds(19)), std::nullopt);
  EXPECT_EQ(limit.take(kStart + Seconds(20)), 1U);
}

TEST(LogLimit, HoldsNoMoreThanABurstAfterALongQuiet) {
  LogLimit limit(2, Seconds(1));
  EXPECT_EQ(limit.take(kStart), 0U);
  const SteadyTime later = kStart + std::chrono::hours(24 * 365);
  EXPECT_EQ(limit.take(later), 0U);
  EXPECT_EQ(limit.take(later), 0U);
  EXPECT_EQ(limit.take(later), std::nullopt);
}

TEST(LogLimit, StandsStillWhileTimeDoes) {
  LogLimit limit(1, Seconds(1));
  EXPECT_EQ(limit.take(kStart), 0U);
  EXPECT_EQ(limit.take(kStart), std::nullopt);
  EXPECT_EQ(limit.take(kStart - Seconds(5)), std::nullopt);
}

}  // namespace
}  // namespace farboot
