// A rollout for people: a whole picture, or the lines that say what is new. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/cli/terminal.h"
#include "farboot/v1/fleet.pb.h"

namespace farboot {

/// Most sites a picture shows one by one: those under way or in trouble first.
inline constexpr std::size_t kSitesShownMax = 40;

std::string state_word(v1::RolloutState state);
std::string state_word(v1::TargetState state);

/// Several lines, each at most `terminal.columns` wide.
std::string rollout_picture(const Terminal& terminal, const v1::Rollout& rollout);

/// What to print when the picture cannot be redrawn: one line per site whose state changed, or that
/// is another tenth further, since the last call.
class RolloutLog {
 public:
  std::vector<std::string> news(const v1::Rollout& rollout);

 private:
  struct Seen {
    v1::TargetState state = v1::TARGET_STATE_UNSPECIFIED;
    unsigned tenth = 0;
    std::string detail;
  };
  v1::RolloutState state_ = v1::ROLLOUT_STATE_UNSPECIFIED;
  std::map<std::string, Seen> seen_;
};

/// True if it ended as it should: done, and no site failed.
bool went_well(const v1::Rollout& rollout);

}  // namespace farboot
