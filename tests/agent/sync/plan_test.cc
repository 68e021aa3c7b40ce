#include "agent/sync/plan.h"

#include <gtest/gtest.h>

#include "agent/sync/pacer.h"

namespace farboot {
namespace {

Digest numbered(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return digest;
}
const Digest kOne = numbered(1), kTwo = numbered(2), kThree = numbered(3);

DesiredState want(std::optional<Digest> stage, std::optional<Digest> serve) {
  DesiredState state;
  state.stage = stage;
  state.serve = serve;
  return state;
}

TEST(Plan, RestsWhenNothingIsDesired) {
  EXPECT_EQ(next_action(want({}, {}), {}).kind, Action::Kind::rest);
}

TEST(Plan, TransfersWhatIsToBeServedBeforeWhatIsToBeStaged) {
  EXPECT_EQ(next_action(want(kTwo, kOne), {}), (Action{Action::Kind::transfer, kOne}));
}

TEST(Plan, ActivatesOnlyWhatIsStagedAndProven) {
  Held held;
  held.staged = kOne;
  EXPECT_EQ(next_action(want({}, kOne), held), (Action{Action::Kind::transfer, kOne}));
  held.proven = {kOne};
  EXPECT_EQ(next_action(want({}, kOne), held), (Action{Action::Kind::activate, kOne}));
}

TEST(Plan, StagesWhileItServes) {
  Held held;
  held.active = kOne;
  held.proven = {kOne};
  EXPECT_EQ(next_action(want(kTwo, kOne), held), (Action{Action::Kind::transfer, kTwo}));
  held.staged = kTwo;
  held.proven.insert(kTwo);
  EXPECT_EQ(next_action(want(kTwo, kOne), held).kind, Action::Kind::rest);
}

TEST(Plan, GoesBackToThePreviousByProvingItAgain) {
  Held held;
  held.active = kTwo;
  held.previous = kOne;
  held.proven = {kOne, kTwo};
  EXPECT_EQ(next_action(want({}, kOne), held), (Action{Action::Kind::transfer, kOne}));
}

TEST(Plan, HealsWhatIsServedFirst) {
  Held held;
  held.active = kOne;
  held.active_damaged = true;
  EXPECT_EQ(next_action(want(kThree, kTwo), held), (Action{Action::Kind::heal, kOne}));
}

TEST(Plan, HealsWhatWasServedBeforeItGoesOn) {
  Held held;
  held.active = kTwo;
  held.previous = kOne;
  held.active_damaged = held.previous_damaged = true;
  EXPECT_EQ(next_action(want({}, kThree), held), (Action{Action::Kind::heal, kTwo}));
  held.active_damaged = false;
  EXPECT_EQ(next_action(want({}, kThree), held), (Action{Action::Kind::heal, kOne}));
}

TEST(Plan, AnEmptyDesiredStateTakesNothingAway) {
  Held held;
  held.active = kOne;
  EXPECT_EQ(next_action(want({}, {}), held).kind, Action::Kind::rest);
}

TEST(Pacer, HoldsTheRateOverTime) {
  Pacer pacer;
  SteadyTime now{Seconds(1000)};
  const SteadyTime begin = now;
  std::uint64_t bytes = 0;
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t part = 1000 + 37 * (i % 11);
    bytes += part;
    now += pacer.took(part, 50'000, now);
  }
  const double seconds = std::chrono::duration<double>(now - begin).count();
  // A second's worth may come at once; the rest at the rate.
  EXPECT_NEAR(static_cast<double>(bytes) / (seconds + 1), 50'000, 600);
}

TEST(Pacer, GivesCreditForOneSecondOnly) {
  Pacer pacer;
  SteadyTime now{Seconds(1000)};
  pacer.took(1, 1000, now);
  now += Seconds(3600);
  EXPECT_EQ(pacer.took(1000, 1000, now), Milliseconds(0));
  EXPECT_EQ(pacer.took(1000, 1000, now), Milliseconds(1000));
}

TEST(Pacer, NoLimitNoDelay) {
  Pacer pacer;
  EXPECT_EQ(pacer.took(1ull << 40, 0, SteadyTime(Seconds(1))), Milliseconds(0));
}

}  // namespace
}  // namespace farboot
