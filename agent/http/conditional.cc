#include "agent/http/conditional.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

namespace farboot {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::chrono::sys_seconds whole_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// A word at a time out of a date: blanks, commas, colons and dashes part the words.
class DateWords {
 public:
  explicit DateWords(std::string_view text) : rest_(text) {}

  std::string_view next() {
    const auto begin = rest_.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) return {};
    rest_.remove_prefix(begin);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(kSeparators));
    rest_.remove_prefix(word.size());
    return word;
  }
  /// -1 if the next word is not a number of at most four digits.
  int number() { return to_number(next()); }
  static int to_number(std::string_view word) {
    if (word.empty() || word.size() > 4) return -1;
    int value = 0;
    for (const char c : word) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  }

 private:
  static constexpr std::string_view kSeparators = " ,:-";
  std::string_view rest_;
};

int month_number(std::string_view word) {
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == word) return static_cast<int>(i) + 1;
  }
  return -1;
}

/// `text` is a comma-separated list of entity tags.
template <class Match>
bool any_tag(std::string_view text, Match match) {
  while (!text.empty()) {
    text = text.substr(std::min(text.find_first_not_of(" \t,"), text.size()));
    const bool weak = text.starts_with("W/");
    if (weak) text.remove_prefix(2);
    if (!text.starts_with('"')) return false;
    const auto close = text.find('"', 1);
    if (close == std::string_view::npos) return false;
    if (match(text.substr(0, close + 1), weak)) return true;
    text.remove_prefix(close + 1);
  }
  return false;
}

}  // namespace

std::string http_date(WallTime time) {
  const auto seconds = whole_seconds(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  DateWords words(trim(text));
  words.next();  // the day's name says nothing new
  const std::string_view second = words.next();
  int year = -1, month = -1, day = -1, hour = -1, minute = -1, second_of_minute = -1;
  if (month = month_number(second); month > 0) {  // asctime: Sun Nov  6 08:49:37 1994
    day = words.number();
    hour = words.number();
    minute = words.number();
    second_of_minute = words.number();
    year = words.number();
  } else {  // IMF-fixdate or RFC 850: 06 Nov 1994 or 06-Nov-94, then the time
    day = DateWords::to_number(second);
    month = month_number(words.next());
    const std::string_view year_word = words.next();
    year = DateWords::to_number(year_word);
    if (year_word.size() == 2) year += year < 70 ? 2000 : 1900;
    hour = words.number();
    minute = words.number();
    second_of_minute = words.number();
    if (words.next() != "GMT") return std::nullopt;
  }
  if (year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second_of_minute < 0 || second_of_minute > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second_of_minute);
}

Precondition evaluate(const Conditions& conditions, const Validators& validators) {
  const auto modified = whole_seconds(validators.modified);
  const bool known = modified.time_since_epoch().count() != 0;
  if (!conditions.if_match.empty()) {
    const auto strong = [&](std::string_view tag, bool weak) {
      return !weak && tag == validators.etag;
    };
    if (trim(conditions.if_match) != "*" && !any_tag(conditions.if_match, strong)) {
      return Precondition::failed;
    }
  } else if (known && !conditions.if_unmodified_since.empty()) {
    const auto since = parse_http_date(conditions.if_unmodified_since);
    if (since && modified > *since) return Precondition::failed;
  }
  if (!conditions.if_none_match.empty()) {
    const auto weakly = [&](std::string_view tag, bool) { return tag == validators.etag; };
    const bool same =
        trim(conditions.if_none_match) == "*" || any_tag(conditions.if_none_match, weakly);
    return same ? Precondition::not_modified : Precondition::proceed;
  }
  if (known && !conditions.if_modified_since.empty()) {
    const auto since = parse_http_date(conditions.if_modified_since);
    if (since && modified <= *since) return Precondition::not_modified;
  }
  return Precondition::proceed;
}

bool range_applies(std::string_view if_range, const Validators& validators) {
  if_range = trim(if_range);
  if (if_range.empty()) return true;
  if (if_range.starts_with('"') || if_range.starts_with("W/")) return if_range == validators.etag;
  const auto date = parse_http_date(if_range);
  const auto modified = whole_seconds(validators.modified);
  return date && modified.time_since_epoch().count() != 0 && *date == modified;
}

}  // namespace farboot
