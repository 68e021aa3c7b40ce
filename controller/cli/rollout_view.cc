#include "controller/cli/rollout_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "controller/cli/progress.h"
#include "controller/cli/table.h"

namespace farboot {
namespace {

std::string word_of(const std::string& name, std::string_view begin) {
  std::string out = name.substr(std::min(begin.size(), name.size()));
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Colour colour_of(v1::TargetState state) {
  switch (state) {
    case v1::TARGET_STATE_ACTIVE: return Colour::green;
    case v1::TARGET_STATE_FAILED: return Colour::red;
    case v1::TARGET_STATE_PENDING: return Colour::dim;
    case v1::TARGET_STATE_SKIPPED:
    case v1::TARGET_STATE_RETURNING:
    case v1::TARGET_STATE_RETURNED: return Colour::yellow;
    default: return Colour::blue;
  }
}

/// Small numbers are shown first.
int rank(v1::TargetState state) {
  switch (state) {
    case v1::TARGET_STATE_FAILED: return 0;
    case v1::TARGET_STATE_ACTIVATING:
    case v1::TARGET_STATE_READY:
    case v1::TARGET_STATE_STAGING:
    case v1::TARGET_STATE_RETURNING: return 1;
    case v1::TARGET_STATE_SKIPPED:
    case v1::TARGET_STATE_RETURNED: return 2;
    case v1::TARGET_STATE_PENDING: return 3;
    default: return 4;
  }
}

std::string transfer_bar(const v1::RolloutTarget& target, std::size_t columns) {
  const v1::TransferProgress& transfer = target.transfer();
  ProgressState state;
  state.done = transfer.bytes_done();
  state.total = transfer.bytes_total();
  state.bytes_per_second = static_cast<double>(transfer.bytes_per_second());
  std::string line = progress_line(state, columns);
  line.erase(0, line.find_first_not_of(' '));
  return line;
}

std::string counts_text(const v1::Rollout& rollout) {
  std::map<v1::TargetState, int> counts;
  for (const v1::RolloutTarget& target : rollout.targets()) ++counts[target.state()];
  std::vector<std::string> out;
  out.reserve(counts.size());
  for (const auto& [state, count] : counts)
    out.push_back(fmt::format("{} {}", count, state_word(state)));
  return join(out, ", ");
}

std::string head_line(const v1::Rollout& rollout) {
  std::string out = fmt::format("rollout {} of {}: {}", rollout.id(),
                                release_text(rollout.release()), state_word(rollout.state()));
  if (rollout.waves_size() > 1 && !rollout.has_finished())
    out += fmt::format(", wave {} of {} ({})", rollout.wave() + 1, rollout.waves_size(),
                       rollout.waves(static_cast<int>(rollout.wave())).name());
  if (!rollout.reason().empty()) out += fmt::format(" ({})", rollout.reason());
  return out;
}

}  // namespace

std::string state_word(v1::RolloutState state) {
  return word_of(v1::RolloutState_Name(state), "ROLLOUT_STATE_");
}
std::string state_word(v1::TargetState state) {
  return word_of(v1::TargetState_Name(state), "TARGET_STATE_");
}

std::string rollout_picture(const Terminal& terminal, const v1::Rollout& rollout) {
  std::string out = terminal.paint(Colour::bold, head_line(rollout)) + "\n";
  out += fmt::format("{} of {} sites: {}\n",
                     std::count_if(rollout.targets().begin(), rollout.targets().end(),
                                   [](const v1::RolloutTarget& target) {
                                     return target.state() == v1::TARGET_STATE_ACTIVE;
                                   }),
                     rollout.targets_size(), counts_text(rollout));
  std::vector<const v1::RolloutTarget*> targets;
  std::size_t longest = 4;
  for (const v1::RolloutTarget& target : rollout.targets()) {
    targets.push_back(&target);
    longest = std::max(longest, target.site().size());
  }
  if (targets.size() > kSitesShownMax)
    std::stable_sort(targets.begin(), targets.end(),
                     [](const v1::RolloutTarget* a, const v1::RolloutTarget* b) {
                       return rank(a->state()) < rank(b->state());
                     });
  for (std::size_t i = 0; i < targets.size() && i < kSitesShownMax; ++i) {
    const v1::RolloutTarget& target = *targets[i];
    std::string line = fmt::format("  {:<{}}  ", target.site(), longest);
    const std::string state = fmt::format("{:<10}", state_word(target.state()));
    const std::size_t used = width(line) + width(state) + 2;
    line += terminal.paint(colour_of(target.state()), state);
    std::string more = target.detail();
    if (target.state() == v1::TARGET_STATE_STAGING && target.transfer().bytes_total() > 0 &&
        more.empty())
      more = transfer_bar(target, terminal.columns - std::min(terminal.columns, used));
    if (!more.empty()) line += "  " + more;
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  if (targets.size() > kSitesShownMax)
    out += fmt::format("  … and {} more\n", targets.size() - kSitesShownMax);
  return out;
}

std::vector<std::string> RolloutLog::news(const v1::Rollout& rollout) {
  std::vector<std::string> out;
  for (const v1::RolloutTarget& target : rollout.targets()) {
    Seen& seen = seen_[target.site()];
    const v1::TransferProgress& transfer = target.transfer();
    const bool staging = target.state() == v1::TARGET_STATE_STAGING;
    const unsigned done = percent(transfer.bytes_done(), transfer.bytes_total());
    const unsigned tenth = staging ? done / 10 : 0;
    const bool fresh = seen.state != target.state() || seen.detail != target.detail();
    if (!fresh && tenth <= seen.tenth) continue;
    seen = {target.state(), tenth, target.detail()};
    std::string line = fmt::format("{} {}", target.site(), state_word(target.state()));
    if (staging && transfer.bytes_total() > 0)
      line += fmt::format(" {} % of {}{}", done, size_text(transfer.bytes_total()),
                          transfer.bytes_per_second() == 0
                              ? ""
                              : fmt::format(", {}/s", size_text(transfer.bytes_per_second())));
    if (!target.detail().empty()) line += ": " + target.detail();
    out.push_back(std::move(line));
  }
  if (state_ != rollout.state()) out.push_back(head_line(rollout));
  state_ = rollout.state();
  return out;
}

bool went_well(const v1::Rollout& rollout) {
  return rollout.state() == v1::ROLLOUT_STATE_DONE &&
         std::all_of(rollout.targets().begin(), rollout.targets().end(),
                     [](const v1::RolloutTarget& target) {
                       return target.state() == v1::TARGET_STATE_ACTIVE;
                     });
}

}  // namespace farboot
