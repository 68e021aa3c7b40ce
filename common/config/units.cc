#include "common/config/units.h"

#include <array>
#include <cctype>
#include <charconv>
#include <limits>

#include "common/base/bytes.h"

namespace farboot {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: formatting takes the first that divides.
constexpr std::array kSizeUnits = {Unit{"TiB", 1ull << 40},
                                   Unit{"TB", 1'000'000'000'000},
                                   Unit{"GiB", 1u << 30},
                                   Unit{"GB", 1'000'000'000},
                                   Unit{"MiB", 1u << 20},
                                   Unit{"MB", 1'000'000},
                                   Unit{"KiB", 1u << 10},
                                   Unit{"kB", 1'000},
                                   Unit{"B", 1}};
constexpr std::array kDurationUnits = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000},
                                       Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1}};

bool same_letters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(a[i])) !=
        std::tolower(static_cast<unsigned char>(b[i]))) {
      return false;
    }
  }
  return true;
}

/// Takes `number unit` off the front of `text`. False if there is none, or it does not fit.
bool take_number(std::string_view& text, std::uint64_t& number, std::string_view& unit) {
  const auto [stop, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (bad != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  std::size_t letters = 0;
  while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters]))) {
    ++letters;
  }
  unit = text.substr(0, letters);
  text.remove_prefix(letters);
  return true;
}

bool multiply(std::uint64_t& number, std::uint64_t factor) {
  // Signed range: what is stored in TOML and shown to people never goes beyond it.
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
    return false;
  }
  number *= factor;
  return true;
}

}  // namespace

Result<std::uint64_t> parse_byte_size(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid, "{} is no size: write it like 80GB, 512MiB or 1048576",
                printable(text, 60));
  };
  std::string_view rest = text, unit;
  std::uint64_t number = 0;
  if (!take_number(rest, number, unit) || !rest.empty()) return refuse();
  if (unit.empty()) return multiply(number, 1) ? Result<std::uint64_t>(number) : refuse();
  for (const Unit& known : kSizeUnits) {
    if (!same_letters(unit, known.name)) continue;
    return multiply(number, known.factor) ? Result<std::uint64_t>(number) : refuse();
  }
  return refuse();
}

std::string format_byte_size(std::uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (unit.factor == 1 || bytes == 0 || bytes % unit.factor != 0) continue;
    return fmt::format("{}{}", bytes / unit.factor, unit.name);
  }
  return fmt::format("{}", bytes);
}

Result<Milliseconds> parse_duration(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid, "{} is no duration: write it like 500ms, 10s, 5m, 1h30m or 7d",
                printable(text, 60));
  };
  std::string_view rest = text;
  std::uint64_t total = 0;
  do {
    std::string_view unit;
    std::uint64_t number = 0;
    if (!take_number(rest, number, unit)) return refuse();
    std::uint64_t factor = 0;
    for (const Unit& known : kDurationUnits) {
      if (unit == known.name) factor = known.factor;
    }
    if (factor == 0 || !multiply(number, factor)) return refuse();
    total += number;
    if (total > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return refuse();
    }
  } while (!rest.empty());
  return Milliseconds(static_cast<std::int64_t>(total));
}

std::string format_duration(Milliseconds duration) {
  auto left = static_cast<std::uint64_t>(duration.count());
  if (left == 0) return "0s";
  std::string text;
  for (const Unit& unit : kDurationUnits) {
    if (left < unit.factor) continue;
    text += fmt::format("{}{}", left / unit.factor, unit.name);
    left %= unit.factor;
  }
  return text;
}

}  // namespace farboot
