#include "agent/tftp/pace.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

using std::chrono::microseconds;

constexpr microseconds kTrip{8000};

void lose(Pace& pace, int times) {
  for (int i = 0; i < times; ++i) pace.window_lost();
}
void pass(Pace& pace, int times) {
  for (int i = 0; i < times; ++i) pace.window_passed();
}

TEST(TftpPace, BeginsWithoutGaps) {
  const Pace pace;
  EXPECT_EQ(pace.burst_blocks(), 32U);
  EXPECT_EQ(pace.gap(kTrip), microseconds(0));
}

TEST(TftpPace, TakesOneLossForChance) {
  Pace pace;
  lose(pace, 1);
  EXPECT_EQ(pace.burst_blocks(), 32U);
  pass(pace, 3);
  lose(pace, 1);
  EXPECT_EQ(pace.burst_blocks(), 32U) << "far from the one before";
  EXPECT_EQ(pace.gap(kTrip), microseconds(0));
}

TEST(TftpPace, HalvesTheBurstWhenLossesAreNear) {
  Pace pace;
  lose(pace, 1);
  pass(pace, 2);
  lose(pace, 1);
  EXPECT_EQ(pace.burst_blocks(), 8U);
  EXPECT_EQ(pace.gap(kTrip), microseconds(1000));
  lose(pace, 1);
  EXPECT_EQ(pace.burst_blocks(), 4U);
  lose(pace, 100);
  EXPECT_EQ(pace.burst_blocks(), 2U);
}

TEST(TftpPace, GrowsAgainWhenWindowsPass) {
  Pace pace;
  lose(pace, 4);
  EXPECT_EQ(pace.burst_blocks(), 2U);
  pass(pace, 7);
  EXPECT_EQ(pace.burst_blocks(), 2U);
  pass(pace, 1);
  EXPECT_EQ(pace.burst_blocks(), 4U);
  pass(pace, 16);
  EXPECT_EQ(pace.burst_blocks(), 32U);
  EXPECT_EQ(pace.gap(kTrip), microseconds(0));
  pass(pace, 1000);
  EXPECT_EQ(pace.burst_blocks(), 32U);
}

TEST(TftpPace, WaitsNeitherTooLongNorTooShort) {
  Pace pace;
  lose(pace, 2);
  EXPECT_EQ(pace.gap(microseconds(10)), microseconds(100));
  EXPECT_EQ(pace.gap(std::chrono::seconds(2)), microseconds(5000));
  EXPECT_EQ(pace.gap(std::nullopt), microseconds(625)) << "no round trip is known";
}

}  // namespace
}  // namespace farboot
