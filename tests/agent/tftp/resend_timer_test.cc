#include "agent/tftp/resend_timer.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

using std::chrono::milliseconds;

TEST(TftpResendTimer, BeginsWithWhatItIsTold) {
  ResendTimer timer({.first_resend = milliseconds(5000)});
  EXPECT_EQ(timer.current(), milliseconds(5000));
  EXPECT_FALSE(timer.round_trip());
}

TEST(TftpResendTimer, FollowsTheRoundTrip) {
  ResendTimer timer({});
  timer.measured(milliseconds(100));
  EXPECT_EQ(timer.round_trip(), milliseconds(100));
  EXPECT_EQ(timer.current(), milliseconds(300));  // the trip and four times half of it
  for (int i = 0; i < 100; ++i) timer.measured(milliseconds(100));
  timer.measured(milliseconds(200));  // one that was late counts little, its lateness more
  EXPECT_LT(*timer.round_trip(), milliseconds(115));
  EXPECT_GT(timer.current(), milliseconds(200));
}

/// However even the trips were: a queue of many clients' windows comes up within a few of them.
TEST(TftpResendTimer, WaitsForTwiceTheTripAtLeast) {
  ResendTimer timer({});
  for (int i = 0; i < 100; ++i) timer.measured(milliseconds(100));
  EXPECT_EQ(timer.current(), milliseconds(200));
}

TEST(TftpResendTimer, StaysWithinItsLimits) {
  ResendTimer timer({});
  timer.measured(std::chrono::microseconds(50));
  EXPECT_EQ(timer.current(), std::chrono::microseconds(10'050));
  for (int i = 0; i < 20; ++i) timer.measured(milliseconds(60'000));
  EXPECT_EQ(timer.current(), milliseconds(8000));
}

TEST(TftpResendTimer, DoublesWhileNothingIsHeard) {
  ResendTimer timer({});
  timer.measured(milliseconds(100));
  timer.back_off();
  EXPECT_EQ(timer.current(), milliseconds(600));
  timer.back_off();
  EXPECT_EQ(timer.current(), milliseconds(1200));
  for (int i = 0; i < 10; ++i) timer.back_off();
  EXPECT_EQ(timer.current(), milliseconds(8000));
}

TEST(TftpResendTimer, IsPatientUntilTheNextMeasurement) {
  ResendTimer timer({});
  timer.measured(milliseconds(100));
  timer.back_off();
  timer.back_off();
  timer.measured(milliseconds(100));
  EXPECT_LT(timer.current(), milliseconds(300));
}

/// A client may have asked for more than the limit.
TEST(TftpResendTimer, NeverGetsShorterByDoubling) {
  ResendTimer timer({.first_resend = milliseconds(9000)});
  timer.back_off();
  EXPECT_EQ(timer.current(), milliseconds(9000));
}

}  // namespace
}  // namespace farboot
