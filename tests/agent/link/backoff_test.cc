#include "agent/link/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace farboot {
namespace {

constexpr BackoffLimits kLimits{Milliseconds(1'000), Milliseconds(60'000)};

TEST(Backoff, DoublesItsBoundUpToTheLongest) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Backoff backoff(kLimits, seed);
    std::int64_t bound = 1'000;
    for (int i = 0; i < 12; ++i, bound = std::min<std::int64_t>(bound * 2, 60'000)) {
      const Milliseconds delay = backoff.next();
      EXPECT_LE(delay.count(), bound) << "seed " << seed;
      EXPECT_GE(delay.count(), bound / 10) << "seed " << seed;
    }
  }
}

TEST(Backoff, BeginsAnewOnceThingsWork) {
  Backoff backoff(kLimits, 7);
  for (int i = 0; i < 10; ++i) static_cast<void>(backoff.next());
  backoff.reset();
  EXPECT_LE(backoff.next(), Milliseconds(1'000));
}

TEST(Backoff, AfterALossComesBackWithinTheSpreadItWasTold) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Backoff backoff(kLimits, seed);
    const Milliseconds delay = backoff.after_loss(Milliseconds(10'000));
    EXPECT_LE(delay, Milliseconds(10'000));
    EXPECT_GE(delay, Milliseconds(1'000));
    EXPECT_LE(backoff.after_loss(Milliseconds(0)), Milliseconds(1'000)) << "never nothing at all";
    EXPECT_GE(backoff.after_loss(Milliseconds(0)), Milliseconds(100));
    EXPECT_LE(backoff.after_loss(Seconds(100'000)), Milliseconds(60'000)) << "nor for ever";
    EXPECT_LE(backoff.next(), Milliseconds(1'000));
  }
}

TEST(Backoff, AFleetThatLostItsControllerDoesNotComeBackAtOnce) {
  // A thousand agents, ten seconds: no second sees more than a fifth of them.
  std::vector<int> each_second(11);
  for (std::uint64_t agent = 0; agent < 1'000; ++agent) {
    Backoff backoff(kLimits, agent);
    const auto delay = backoff.after_loss(Milliseconds(10'000));
    ++each_second.at(static_cast<std::size_t>(delay.count() / 1'000));
  }
  EXPECT_LT(*std::max_element(each_second.begin(), each_second.end()), 200);
}

TEST(Backoff, IsTheSameForTheSameSeed) {
  Backoff one(kLimits, 5), two(kLimits, 5);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(one.next(), two.next());
}

}  // namespace
}  // namespace farboot
