#include "agent/host/outbox.h"

#include <gtest/gtest.h>

#include "common/store/memory_state.h"
#include "tests/support/logged.h"
#include "tests/support/site_bench.h"

namespace farboot {
namespace {

using testing::Logged;
using testing::StillClock;

HostStatus of(const std::string& host, const std::string& mac) {
  HostStatus status;
  status.host = host;
  status.mac = mac;
  status.phase = InstallPhase::started;
  return status;
}

/// Anybody on the LAN can invent machines, one for each request.
TEST(Outbox, LetsInventedMachinesNotPushOutRealOnes) {
  StillClock clock;
  Outbox outbox(clock);
  Transaction writes;
  outbox.add(of("web1", "52:54:00:00:00:01"), writes);
  for (std::size_t i = 0; i < Outbox::kEventsMax + 10; ++i)
    outbox.add(of("52:54:00:00:00:99", "52:54:00:00:00:99"), writes);
  auto kept = outbox.pending(Outbox::kEventsMax);
  EXPECT_EQ(kept.size(), 1 + Outbox::kStrangerEventsMax);
  EXPECT_EQ(kept.front().status.host, "web1");
  for (std::size_t i = 0; i < Outbox::kEventsMax; ++i)
    outbox.add(of("web2", "52:54:00:00:00:02"), writes);
  kept = outbox.pending(2 * Outbox::kEventsMax);
  EXPECT_EQ(kept.size(), Outbox::kEventsMax);
  EXPECT_EQ(kept.back().status.host, "web2");
  MemoryState state;
  ASSERT_TRUE(state.commit(writes));
  Outbox again(clock);
  ASSERT_TRUE(again.open(state));
  EXPECT_EQ(again.pending(2 * Outbox::kEventsMax), kept)
      << "what was dropped is gone from the card";
}

TEST(Outbox, SaysOnlyNowAndThenWhatInventedMachinesPushOut) {
  StillClock clock;
  Outbox outbox(clock);
  Transaction writes;
  Logged logged;
  for (std::size_t i = 0; i < Outbox::kStrangerEventsMax + 100; ++i)
    outbox.add(of("52:54:00:00:00:99", "52:54:00:00:00:99"), writes);
  EXPECT_EQ(Logged::count(logged.take(), "host.event_dropped"), 60);
  clock.pass(Seconds(1));
  outbox.add(of("52:54:00:00:00:99", "52:54:00:00:00:99"), writes);
  EXPECT_NE(logged.take().find("left_out=40\n"), std::string::npos);
}

}  // namespace
}  // namespace farboot
