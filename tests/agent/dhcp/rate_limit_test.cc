#include "agent/dhcp/rate_limit.h"

#include <gtest/gtest.h>

namespace farboot::dhcp {
namespace {

Mac mac(std::uint8_t last) { return Mac{{0x52, 0x54, 0, 0, 0, last}}; }

int taken(RateLimit& rate, const Mac& client, int tries, SteadyTime now) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += rate.take(client, now) ? 1 : 0;
  return count;
}

TEST(DhcpRateLimit, AllowsEachClientItsShare) {
  RateLimit rate(1000, 5);
  const SteadyTime start{Seconds(100)};
  EXPECT_EQ(taken(rate, mac(1), 20, start), 5);
  EXPECT_EQ(taken(rate, mac(2), 20, start), 5);
  EXPECT_EQ(taken(rate, mac(1), 20, start + Milliseconds(400)), 2);
  EXPECT_EQ(taken(rate, mac(1), 20, start + Seconds(3600)), 5);  // no more than a second's worth
}

TEST(DhcpRateLimit, BoundsAllClientsTogether) {
  RateLimit rate(100, 5);
  const SteadyTime start{Seconds(100)};
  int count = 0;
  for (int i = 0; i < 200; ++i) count += taken(rate, mac(static_cast<std::uint8_t>(i)), 1, start);
  EXPECT_EQ(count, 100);
  EXPECT_EQ(taken(rate, mac(7), 1, start + Milliseconds(20)), 1);
}

TEST(DhcpRateLimit, IgnoresTimeThatStandsStill) {
  RateLimit rate(10, 2);
  const SteadyTime start{Seconds(100)};
  EXPECT_EQ(taken(rate, mac(1), 5, start), 2);
  EXPECT_EQ(taken(rate, mac(1), 5, start - Seconds(5)), 0);
}

}  // namespace
}  // namespace farboot::dhcp
