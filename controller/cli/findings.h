// What is wrong with a fleet directory: everything at once, each with file and line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace farboot {

/// At most this many are kept and printed; the rest is counted.
inline constexpr std::size_t kFindingsMax = 500;

struct Place {
  std::string file;      ///< relative to the fleet directory
  std::size_t line = 0;  ///< 1-based; 0: the file as a whole
  auto operator<=>(const Place&) const = default;
};

/// `sites/lyon.yaml:12`, or the file alone.
std::string to_string(const Place& place);

struct Finding {
  enum class Severity {
    error,
    warning
  };
  Place place;
  Severity severity = Severity::error;
  std::string text;  ///< what, lower case, no full stop
  std::string hint;  ///< what to do; may be empty
  auto operator<=>(const Finding&) const = default;
};

class Findings {
 public:
  void error(Place place, std::string text, std::string hint = {});
  void warning(Place place, std::string text, std::string hint = {});

  std::size_t errors() const { return errors_; }
  std::size_t warnings() const { return warnings_; }
  /// By file and line, none twice.
  std::vector<Finding> sorted() const;

 private:
  void add(Finding finding);

  std::vector<Finding> all_;
  std::size_t errors_ = 0, warnings_ = 0;
};

/// `did you mean "kickstart"?`, or nothing if no candidate is near `name`.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

/// `hint` if there is one, else what there is: `images: a, b, …`.
std::string or_list(std::string hint, const std::vector<std::string>& names, std::string_view what);

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> out;
  for (const auto& [key, value] : map) out.push_back(key);
  return out;
}

}  // namespace farboot
