#include "agent/host/install_state.h"

#include <gtest/gtest.h>

#include <random>

namespace farboot {
namespace {

const InstallLimits kLimits{.boots_max = 3, .attempt_life = Seconds(3600)};
const AttemptTraits kReporting{.has_kickstart = true, .reports = true, .packages_total = 10};
const AttemptTraits kSilent{.has_kickstart = true, .reports = false, .packages_total = 10};
const AttemptTraits kByHand{.has_kickstart = false, .reports = false, .packages_total = 10};

InstallState started(const AttemptTraits& traits) {
  InstallState state;
  EXPECT_TRUE(take_order(state, 1));
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::start);
  begin_attempt(state, traits, false);
  return state;
}

TEST(InstallState, GoesTheWholeWay) {
  InstallState state = started(kReporting);
  EXPECT_EQ(state.phase, InstallPhase::started);
  note_fetched(state, FetchedPart::kernel);
  note_fetched(state, FetchedPart::initrd);
  EXPECT_FALSE(state.touched);
  EXPECT_TRUE(serve_kickstart(state));
  EXPECT_EQ(state.phase, InstallPhase::kickstart);
  EXPECT_FALSE(serve_kickstart(state)) << "once per card, and no second step";
  EXPECT_TRUE(note_packages(state, 1));
  EXPECT_FALSE(note_packages(state, 5));
  EXPECT_EQ(state.percent(), 50u);
  EXPECT_TRUE(report_installed(state, "abc"));
  EXPECT_EQ(state.phase, InstallPhase::done);
  EXPECT_EQ(state.percent(), 100u);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
}

TEST(InstallState, TakesAnOrderOnce) {
  InstallState state = started(kReporting);
  EXPECT_FALSE(take_order(state, 1)) << "the desired state came a second time";
  EXPECT_TRUE(report_installed(state, ""));
  EXPECT_FALSE(take_order(state, 1));
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
  EXPECT_TRUE(take_order(state, 3));
  EXPECT_EQ(state.phase, InstallPhase::armed);
  EXPECT_FALSE(take_order(state, 2)) << "an older desired state";
}

TEST(InstallState, RepeatsAnAttemptThatNeverReachedItsDisk) {
  InstallState state = started(kReporting);
  for (std::uint32_t boot = 1; boot < kLimits.boots_max; ++boot) {
    note_fetched(state, FetchedPart::initrd);
    ASSERT_EQ(install_answer(state, kLimits), InstallAnswer::again);
    boot_again(state);
  }
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::came_back);
  end_on_return(state);
  EXPECT_EQ(state.phase, InstallPhase::failed);
  EXPECT_EQ(state.detail, "never got as far as its disk in 3 boots");
  EXPECT_EQ(state.attempts, 1u);
}

TEST(InstallState, NeverRepeatsOnceTheKickstartWentOut) {
  InstallState state = started(kReporting);
  serve_kickstart(state);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::came_back);
  note_packages(state, 3);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::came_back);
  end_on_return(state);
  EXPECT_EQ(state.phase, InstallPhase::failed);
  EXPECT_EQ(state.detail, "came back before it reported");
}

TEST(InstallState, BelievesPackagesWhereTheKickstartCannotReport) {
  InstallState state = started(kSilent);
  serve_kickstart(state);
  InstallState nothing_fetched = state;
  end_on_return(nothing_fetched);
  EXPECT_EQ(nothing_fetched.phase, InstallPhase::failed);
  note_packages(state, 7);
  end_on_return(state);
  EXPECT_EQ(state.phase, InstallPhase::done);
  EXPECT_EQ(state.detail, "came back after 7 packages; its kickstart does not report");
}

TEST(InstallState, CallsNoInstallFailedThatNobodyCanSee) {
  InstallState state =
      started({.has_kickstart = false, .reports = false, .packages_total = 0, .unseen = true});
  note_fetched(state, FetchedPart::initrd);
  InstallState never_loaded = state;
  never_loaded.touched = false;
  end_on_return(state);
  EXPECT_EQ(state.phase, InstallPhase::done);
  EXPECT_EQ(state.detail, "came back; nothing told how it went");
  EXPECT_TRUE(report_failed(state, "it did not")) << "the machine knows better";
  end_on_return(never_loaded);
  EXPECT_EQ(never_loaded.phase, InstallPhase::failed) << "that much is known";
}

TEST(InstallState, CountsAnEntryWithoutKickstartFromItsInitrd) {
  InstallState state = started(kByHand);
  note_fetched(state, FetchedPart::kernel);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::again);
  note_fetched(state, FetchedPart::initrd);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::came_back);
}

TEST(InstallState, TakesNoPackagesBeforeTheKickstart) {
  InstallState state = started(kReporting);
  EXPECT_FALSE(note_packages(state, 4)) << "another machine behind the same address";
  EXPECT_EQ(state.phase, InstallPhase::started);
  EXPECT_FALSE(state.touched);
}

TEST(InstallState, TakesPackagesOfAnInstallerThatWasLoaded) {
  InstallState state = started(kReporting);
  note_fetched(state, FetchedPart::initrd);
  EXPECT_TRUE(note_packages(state, 4)) << "its kickstart came from somewhere else";
  EXPECT_TRUE(state.touched);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::came_back);
}

TEST(InstallState, TakesNoOrderThatIsUsedUp) {
  InstallState state;
  take_baseline(state, 3);
  EXPECT_FALSE(take_order(state, 3, 3));
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
  EXPECT_TRUE(take_order(state, 5, 5)) << "given and carried out while we were off";
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
  EXPECT_TRUE(take_order(state, 6, 5));
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::start);
  EXPECT_TRUE(take_order(state, 6, 6)) << "another agent did";
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
}

TEST(InstallState, GoesOnWithAnAttemptWhoseOrderIsUsedUp) {
  InstallState state = started(kReporting);
  take_order(state, 1, 1);
  EXPECT_EQ(state.phase, InstallPhase::started);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::again);
}

TEST(InstallState, BelievesTheMachineMoreThanItsOwnGuess) {
  InstallState state = started(kReporting);
  serve_kickstart(state);
  end_on_return(state);
  ASSERT_EQ(state.phase, InstallPhase::failed);
  EXPECT_TRUE(report_installed(state, "from the installed system")) << "it reports after its boot";
  EXPECT_EQ(state.phase, InstallPhase::done);
  EXPECT_FALSE(report_failed(state, "late")) << "it said how it ended";
  EXPECT_EQ(state.phase, InstallPhase::done);
}

TEST(InstallState, KeepsAnOrderGivenMeanwhile) {
  InstallState state = started(kReporting);
  serve_kickstart(state);
  EXPECT_TRUE(take_order(state, 2));
  EXPECT_EQ(state.phase, InstallPhase::kickstart) << "the attempt goes on";
  EXPECT_FALSE(rearm(state));
  report_installed(state, "");
  EXPECT_TRUE(rearm(state));
  EXPECT_EQ(state.phase, InstallPhase::armed);
  begin_attempt(state, kReporting, false);
  EXPECT_EQ(state.attempts, 2u);
  EXPECT_FALSE(state.ordered);
}

TEST(InstallState, ExpiresWhatIsNeverHeardOfAgain) {
  InstallState state = started(kReporting);
  EXPECT_FALSE(pass_time(state, Seconds(3599), kLimits));
  EXPECT_TRUE(pass_time(state, Seconds(1), kLimits));
  EXPECT_EQ(state.phase, InstallPhase::expired);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
  EXPECT_FALSE(serve_kickstart(state));
  InstallState armed;
  take_order(armed, 1);
  EXPECT_FALSE(pass_time(armed, Seconds(1'000'000), kLimits)) << "an order waits for its machine";
}

TEST(InstallState, DisarmsButDoesNotStop) {
  InstallState state;
  take_order(state, 1);
  disarm(state);
  EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
  InstallState running = started(kReporting);
  take_order(running, 2);
  disarm(running);
  EXPECT_EQ(running.phase, InstallPhase::started);
  EXPECT_FALSE(running.ordered);
}

TEST(InstallPhase, HasOneNameEach) {
  for (int i = 0; i <= static_cast<int>(InstallPhase::expired); ++i) {
    const auto phase = static_cast<InstallPhase>(i);
    EXPECT_EQ(install_phase(to_string(phase)), phase);
  }
  EXPECT_FALSE(install_phase("ready"));
}

// Any order of events: an order or a choice begins at most one attempt, nothing else begins one, a
// disk that may be written to ends the repeats, and left alone everything ends.
TEST(InstallState, HoldsItsPromisesInAnyOrderOfEvents) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    InstallState state;
    std::uint32_t permits = 0;  // orders taken and choices made
    std::uint64_t order = 0;
    std::uint32_t scripts = 0;  // of the attempt
    bool disk_at_risk = false;
    const AttemptTraits traits = seed % 3 == 0 ? kByHand : seed % 3 == 1 ? kSilent : kReporting;
    const auto begin = [&](bool by_menu) {
      begin_attempt(state, traits, by_menu);
      scripts = 1;
      disk_at_risk = false;
      ASSERT_LE(state.attempts, permits);
    };
    for (int step = 0; step < 200; ++step) {
      switch (random() % 12) {
        case 0: permits += take_order(state, order += random() % 2) ? 1 : 0; break;
        case 1:
          if (!state.ordered && state.phase != InstallPhase::armed) ++permits;
          arm(state);
          break;
        case 2:
        case 3:
          switch (install_answer(state, kLimits)) {
            case InstallAnswer::start: begin(false); break;
            case InstallAnswer::again:
              ASSERT_FALSE(disk_at_risk);
              boot_again(state);
              ASSERT_LE(++scripts, kLimits.boots_max);
              break;
            case InstallAnswer::came_back:
              end_on_return(state);
              ASSERT_FALSE(state.under_way());
              rearm(state);
              break;
            case InstallAnswer::nothing: ASSERT_FALSE(state.under_way()); break;
          }
          break;
        case 4:
          if (random() % 8 == 0) {
            ++permits;
            begin(true);
          }
          break;
        case 5:
          if (state.under_way()) disk_at_risk = true;
          serve_kickstart(state);
          break;
        case 6: note_fetched(state, FetchedPart::kernel); break;
        case 7:
          if (state.under_way() && !traits.has_kickstart) disk_at_risk = true;
          note_fetched(state, FetchedPart::initrd);
          break;
        case 8: note_packages(state, static_cast<std::uint32_t>(random() % 12)); break;
        case 9:
          if (random() % 4 == 0) report_installed(state, "");
          rearm(state);
          break;
        case 10:
          if (random() % 4 == 0) report_failed(state, "");
          rearm(state);
          break;
        case 11: pass_time(state, Seconds(random() % 600), kLimits); break;
      }
      ASSERT_LE(state.percent(), 100u);
      ASSERT_FALSE(state.phase == InstallPhase::armed && state.ordered);
    }
    disarm(state);
    pass_time(state, kLimits.attempt_life, kLimits);
    EXPECT_FALSE(state.under_way());
    EXPECT_EQ(install_answer(state, kLimits), InstallAnswer::nothing);
  }
}

}  // namespace
}  // namespace farboot
