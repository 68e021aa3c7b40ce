#include "controller/cli/findings.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace farboot {
namespace {

/// Optimal string alignment: insert, drop, change, or swap two neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

constexpr std::size_t kGuessedBytesMax = 100;
constexpr std::size_t kNamedMax = 8;  ///< in a list of what there is

}  // namespace

std::string to_string(const Place& place) {
  return place.line == 0 ? place.file : fmt::format("{}:{}", place.file, place.line);
}

void Findings::error(Place place, std::string text, std::string hint) {
  add({std::move(place), Finding::Severity::error, std::move(text), std::move(hint)});
}

void Findings::warning(Place place, std::string text, std::string hint) {
  add({std::move(place), Finding::Severity::warning, std::move(text), std::move(hint)});
}

void Findings::add(Finding finding) {
  if (std::find(all_.begin(), all_.end(), finding) != all_.end()) return;
  ++(finding.severity == Finding::Severity::error ? errors_ : warnings_);
  if (all_.size() < kFindingsMax) all_.push_back(std::move(finding));
}

std::vector<Finding> Findings::sorted() const {
  std::vector<Finding> out = all_;
  std::stable_sort(out.begin(), out.end(),
                   [](const Finding& a, const Finding& b) { return a.place < b.place; });
  return out;
}

std::string or_list(std::string hint, const std::vector<std::string>& names,
                    std::string_view what) {
  if (!hint.empty()) return hint;
  if (names.empty()) return fmt::format("there are no {} yet", what);
  std::string out = fmt::format("{}: ", what);
  for (std::size_t i = 0; i < names.size() && i < kNamedMax; ++i)
    out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamedMax ? out + ", …" : out;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > kGuessedBytesMax) return {};
  const std::size_t near = name.size() <= 3 ? 1 : name.size() <= 6 ? 2 : name.size() / 3;
  std::string_view best;
  std::size_t best_distance = near + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kGuessedBytesMax) continue;
    const std::size_t d = distance(name, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best.empty() ? std::string() : fmt::format("did you mean \"{}\"?", best);
}

}  // namespace farboot
