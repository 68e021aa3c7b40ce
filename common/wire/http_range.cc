#include "common/wire/http_range.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace farboot::http_range {
namespace {

constexpr std::string_view kUnit = "bytes=";

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool has_unit(std::string_view header) {
  if (header.size() < kUnit.size()) return false;
  for (std::size_t i = 0; i < kUnit.size(); ++i) {
    const char c = header[i];
    if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != kUnit[i]) return false;
  }
  return true;
}

/// Digits only. A number too large for 64 bits is beyond every file: it saturates.
std::optional<std::uint64_t> number(std::string_view digits) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  return value;
}

/// One item of the list as the client wrote it, before it is held against the size.
struct Spec {
  std::optional<std::uint64_t> first;  ///< absent: a suffix, `last` counts bytes from the end
  std::optional<std::uint64_t> last;
};

std::optional<Spec> parse_spec(std::string_view item) {
  const std::size_t dash = item.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view left = item.substr(0, dash);
  const std::string_view right = item.substr(dash + 1);
  Spec spec{.first = number(left), .last = number(right)};
  if (!left.empty() && !spec.first) return std::nullopt;
  if (!right.empty() && !spec.last) return std::nullopt;
  if (!spec.first && !spec.last) return std::nullopt;
  if (spec.first && spec.last && *spec.last < *spec.first) return std::nullopt;
  return spec;
}

std::optional<Range> satisfy(const Spec& spec, std::uint64_t size_bytes) {
  if (size_bytes == 0) return std::nullopt;
  if (!spec.first) {
    if (*spec.last == 0) return std::nullopt;
    return Range{.first = size_bytes - std::min(*spec.last, size_bytes), .last = size_bytes - 1};
  }
  if (*spec.first >= size_bytes) return std::nullopt;
  return Range{.first = *spec.first,
               .last = spec.last ? std::min(*spec.last, size_bytes - 1) : size_bytes - 1};
}

std::vector<Range> merge(const std::vector<Range>& asked) {
  struct Piece {
    Range range;
    std::size_t order;
  };
  std::vector<Piece> pieces;
  pieces.reserve(asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) pieces.push_back({asked[i], i});
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.range.first < b.range.first; });
  std::vector<Piece> merged;
  for (const Piece& piece : pieces) {
    if (!merged.empty() && piece.range.first <= merged.back().range.last + 1) {
      merged.back().range.last = std::max(merged.back().range.last, piece.range.last);
      merged.back().order = std::min(merged.back().order, piece.order);
    } else {
      merged.push_back(piece);
    }
  }
  std::sort(merged.begin(), merged.end(),
            [](const Piece& a, const Piece& b) { return a.order < b.order; });
  std::vector<Range> ranges;
  ranges.reserve(merged.size());
  for (const Piece& piece : merged) ranges.push_back(piece.range);
  return ranges;
}

}  // namespace

Parsed parse(std::string_view header, std::uint64_t size_bytes) {
  header = trim(header);
  if (!has_unit(header)) return {};
  header.remove_prefix(kUnit.size());

  std::vector<Range> satisfiable;
  std::size_t specs = 0;
  bool suffix_of_nothing = false;
  while (true) {
    const std::size_t comma = header.find(',');
    const std::string_view item = trim(header.substr(0, comma));
    if (!item.empty()) {  // a list may hold empty items, RFC 9110 §5.6.1.2
      const auto spec = parse_spec(item);
      if (!spec || ++specs > kRangesMax) return {};
      if (const auto range = satisfy(*spec, size_bytes)) satisfiable.push_back(*range);
      suffix_of_nothing |= size_bytes == 0 && !spec->first && *spec->last > 0;
    }
    if (comma == std::string_view::npos) break;
    header.remove_prefix(comma + 1);
  }
  // "The last n bytes" of an empty file are satisfiable, yet no 206 can say so: it has no first
  // byte.
  if (specs == 0 || (satisfiable.empty() && suffix_of_nothing)) return {};
  if (satisfiable.empty()) return {.answer = Answer::unsatisfiable, .ranges = {}};
  return {.answer = Answer::ranges, .ranges = merge(satisfiable)};
}

}  // namespace farboot::http_range
