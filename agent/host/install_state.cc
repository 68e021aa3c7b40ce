#include "agent/host/install_state.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"

namespace farboot {
namespace {

// In the order of the enum. On disk and on wire: never rename.
constexpr std::array<std::string_view, 8> kNames = {"idle",     "armed", "started", "kickstart",
                                                    "packages", "done",  "failed",  "expired"};

/// From here on the order is used up: nobody may carry it out once more.
void touch(InstallState& state) {
  state.touched = true;
  state.used = std::max(state.used, state.begun);
}

void end_attempt(InstallState& state, InstallPhase outcome, std::string detail) {
  state.used = std::max(state.used, state.begun);
  state.phase = outcome;
  state.detail = std::move(detail);
}

bool report(InstallState& state, InstallPhase outcome, std::string detail) {
  const bool inferred = (state.phase == InstallPhase::done || state.phase == InstallPhase::failed ||
                         state.phase == InstallPhase::expired) &&
                        !state.reported;
  if (!state.under_way() && !inferred) return false;
  const InstallPhase before = state.phase;
  state.reported = true;
  touch(state);
  end_attempt(state, outcome, std::move(detail));
  return state.phase != before;
}

}  // namespace

std::string_view to_string(InstallPhase phase) {
  return kNames.at(static_cast<std::size_t>(phase));
}

std::optional<InstallPhase> install_phase(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<InstallPhase>(found - kNames.begin());
}

std::uint32_t InstallState::percent() const {
  if (phase == InstallPhase::done) return 100;
  if (traits.packages_total == 0 || phase == InstallPhase::idle || phase == InstallPhase::armed)
    return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(99, std::uint64_t{100} * packages / traits.packages_total));
}

void take_baseline(InstallState& state, std::uint64_t used) {
  state.used = std::max(state.used, used);
  state.order = std::max(state.order, used);
}

bool take_order(InstallState& state, std::uint64_t order, std::uint64_t used) {
  const InstallState before = state;
  state.used = std::max(state.used, used);
  if (order > state.order) {
    state.order = order;
    if (order > state.used) {
      state.on_site = false;
      state.ordered = true;
      rearm(state);
    }
  }
  const bool due = state.ordered || state.phase == InstallPhase::armed;
  if (due && !state.on_site && state.order <= state.used) disarm(state);
  return state != before;
}

bool leave_orders(InstallState& state, std::uint64_t used) {
  const InstallState before = state;
  state.used = std::max(state.used, used);
  const bool due = state.ordered || state.phase == InstallPhase::armed;
  if (due && state.on_site) return state != before;
  if (due) disarm(state);
  state.order = std::max(state.begun, state.used);
  return state != before;
}

void arm(InstallState& state, std::uint64_t order) {
  state.order = std::max(state.order, order);
  state.on_site = true;
  state.ordered = true;
  rearm(state);
}

bool rearm(InstallState& state) {
  if (!state.ordered || state.under_way()) return false;
  state.ordered = false;
  state.phase = InstallPhase::armed;
  return true;
}

void disarm(InstallState& state) {
  state.ordered = state.on_site = false;
  if (state.phase == InstallPhase::armed) state.phase = InstallPhase::idle;
}

InstallAnswer install_answer(const InstallState& state, const InstallLimits& limits) {
  if (state.phase == InstallPhase::armed || state.ordered) return InstallAnswer::start;
  if (!state.under_way()) return InstallAnswer::nothing;
  const bool may_try = !state.touched && state.boots < limits.boots_max;
  return may_try ? InstallAnswer::again : InstallAnswer::came_back;
}

void begin_attempt(InstallState& state, const AttemptTraits& traits, bool by_menu) {
  if (state.under_way()) end_on_return(state);
  const std::uint64_t order = state.order;
  const std::uint64_t used = state.used;
  const std::uint32_t attempts = state.attempts;
  state = InstallState{};
  state.phase = InstallPhase::started;
  state.order = state.begun = order;
  state.used = used;
  state.attempts = attempts + 1;
  state.traits = traits;
  state.boots = 1;
  state.by_menu = by_menu;
}

void boot_again(InstallState& state) {
  FARBOOT_CHECK(state.phase == InstallPhase::started && !state.touched);
  ++state.boots;
  state.kernel = state.initrd = state.stage2 = state.repodata = false;
}

void end_on_return(InstallState& state) {
  if (!state.under_way()) return;
  const bool went_through =
      state.packages > 0 || (state.traits.packages_total == 0 && state.stage2);
  if (!state.touched) {
    end_attempt(state, InstallPhase::failed,
                fmt::format("never got as far as its disk in {} boots", state.boots));
  } else if (state.traits.reports) {
    end_attempt(state, InstallPhase::failed, "came back before it reported");
  } else if (went_through) {
    end_attempt(
        state, InstallPhase::done,
        fmt::format("came back after {} packages; its kickstart does not report", state.packages));
  } else if (state.traits.unseen) {
    // Not known is not failed: whoever counts failures would count every install of this kind.
    end_attempt(state, InstallPhase::done, "came back; nothing told how it went");
  } else {
    end_attempt(state, InstallPhase::failed,
                "came back without a package; its kickstart does not report");
  }
}

bool serve_kickstart(InstallState& state) {
  if (!state.under_way()) return false;
  touch(state);
  if (state.phase != InstallPhase::started) return false;
  state.phase = InstallPhase::kickstart;
  return true;
}

bool note_fetched(InstallState& state, FetchedPart part) {
  if (!state.under_way()) return false;
  switch (part) {
    case FetchedPart::kernel: state.kernel = true; break;
    case FetchedPart::initrd:
      state.initrd = true;
      // Without a kickstart nothing later is sure to be seen: a person works at the machine now.
      if (!state.traits.has_kickstart) touch(state);
      break;
    case FetchedPart::stage2: state.stage2 = true; break;
    case FetchedPart::repodata: state.repodata = true; break;
  }
  return false;
}

bool note_packages(InstallState& state, std::uint32_t packages) {
  if (!state.under_way() || packages == 0) return false;
  // Not this attempt's: it has neither fetched its installer nor its kickstart.
  if (state.traits.has_kickstart && !state.touched && !state.initrd) return false;
  touch(state);
  state.packages = std::max(state.packages, packages);
  if (state.phase == InstallPhase::packages) return false;
  state.phase = InstallPhase::packages;
  return true;
}

bool pass_time(InstallState& state, Seconds passed, const InstallLimits& limits) {
  if (state.attempts == 0 || passed <= Seconds{0}) return false;
  state.age += passed;
  if (!state.under_way() || state.age < limits.attempt_life) return false;
  end_attempt(
      state, InstallPhase::expired,
      fmt::format("not heard of its end within {} hours",
                  std::chrono::duration_cast<std::chrono::hours>(limits.attempt_life).count()));
  return true;
}

bool report_installed(InstallState& state, std::string detail) {
  return report(state, InstallPhase::done, std::move(detail));
}

bool report_failed(InstallState& state, std::string detail) {
  return report(state, InstallPhase::failed, std::move(detail));
}

}  // namespace farboot
