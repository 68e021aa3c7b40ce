#include "controller/rollout/selector.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace farboot {
namespace {

/// `25%` → 25; nothing if it is not a percentage.
std::optional<unsigned> percentage(std::string_view selector) {
  if (!selector.ends_with('%')) return std::nullopt;
  selector.remove_suffix(1);
  unsigned value = 0;
  const auto [end, error] =
      std::from_chars(selector.data(), selector.data() + selector.size(), value);
  if (error != std::errc() || end != selector.data() + selector.size() || value < 1 || value > 100)
    return std::nullopt;
  return value;
}

/// Names of the sites `selector` takes of `left`, which is sorted.
Result<std::vector<std::string>> take(std::string_view selector,
                                      const std::vector<const Site*>& left,
                                      const std::vector<Site>& all) {
  std::vector<std::string> out;
  if (const auto percent = percentage(selector)) {
    const std::size_t count = (left.size() * *percent + 99) / 100;
    for (std::size_t i = 0; i < count; ++i) out.push_back(left[i]->name);
    return out;
  }
  const std::size_t equals = selector.find('=');
  const bool every = selector == "all";
  if (!every && (equals == std::string_view::npos || equals == 0))
    return fail(Errc::invalid, "selector {}: want all, site=NAME, LABEL=VALUE or N% (1 to 100)",
                printable(selector));
  const std::string label(selector.substr(0, every ? 0 : equals));
  const std::string value(every ? "" : selector.substr(equals + 1));
  if (label == "site" &&
      std::none_of(all.begin(), all.end(), [&](const Site& site) { return site.name == value; }))
    return fail(Errc::not_found, "site {}: does not exist; `farboot site list` shows those that do",
                printable(value));
  for (const Site* site : left) {
    const auto found = site->labels.find(label);
    const bool labelled = found != site->labels.end() && found->second == value;
    if (every || (label == "site" ? site->name == value : labelled)) out.push_back(site->name);
  }
  return out;
}

}  // namespace

Result<std::vector<RolloutTarget>> select_targets(const std::vector<RolloutWave>& waves,
                                                  const std::vector<Site>& sites) {
  std::vector<RolloutTarget> out;
  std::set<std::string> taken;
  for (std::uint32_t index = 0; index < waves.size(); ++index) {
    const RolloutWave& wave = waves[index];
    std::vector<const Site*> left;
    for (const Site& site : sites)
      if (!taken.contains(site.name)) left.push_back(&site);
    std::set<std::string> names;
    for (const std::string& selector : wave.selectors) {
      const auto some = take(selector, left, sites);
      if (!some) return prefix(fmt::format("wave {}", wave.name), some.error());
      names.insert(some->begin(), some->end());
    }
    if (names.empty())
      return fail(Errc::invalid, "wave {}: takes no site that no earlier wave has", wave.name);
    for (const std::string& name : names) {
      RolloutTarget target;
      target.site = name;
      target.wave = index;
      out.push_back(std::move(target));
      taken.insert(name);
    }
  }
  return out;
}

}  // namespace farboot
