#include "controller/fleet/text_diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

namespace farboot {
namespace {

using TextLines = std::vector<std::string_view>;

constexpr std::size_t kContextLines = 3;
constexpr std::string_view kNoNewline = "\\ no newline at the end";

struct Edit {
  char kind = ' ';  ///< ' ', '-', '+'
  std::string_view line;
};

TextLines split(std::string_view text) {
  TextLines out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      out.push_back(kNoNewline);
      break;
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

/// The shortest way from `a` to `b` by the longest common subsequence, removals first.
void middle(const TextLines& a, const TextLines& b, std::vector<Edit>& out) {
  const std::size_t rows = a.size(), columns = b.size();
  std::vector<std::uint16_t> length((rows + 1) * (columns + 1), 0);
  const auto at = [&](std::size_t i, std::size_t j) -> std::uint16_t& {
    return length[i * (columns + 1) + j];
  };
  for (std::size_t i = rows; i-- > 0;)
    for (std::size_t j = columns; j-- > 0;)
      at(i, j) = a[i] == b[j] ? static_cast<std::uint16_t>(at(i + 1, j + 1) + 1)
                              : std::max(at(i + 1, j), at(i, j + 1));
  std::size_t i = 0, j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && a[i] == b[j]) {
      out.push_back({' ', a[i]});
      ++i, ++j;
    } else if (i < rows && (j == columns || at(i + 1, j) >= at(i, j + 1))) {
      out.push_back({'-', a[i++]});
    } else {
      out.push_back({'+', b[j++]});
    }
  }
}

std::vector<Edit> edits(const TextLines& a, const TextLines& b) {
  std::size_t front = 0, back = 0;
  while (front < a.size() && front < b.size() && a[front] == b[front]) ++front;
  while (back < a.size() - front && back < b.size() - front &&
         a[a.size() - 1 - back] == b[b.size() - 1 - back])
    ++back;
  const TextLines cut_a(a.begin() + static_cast<long>(front), a.end() - static_cast<long>(back));
  const TextLines cut_b(b.begin() + static_cast<long>(front), b.end() - static_cast<long>(back));
  std::vector<Edit> out;
  if (cut_a.size() + cut_b.size() > kDiffLinesMax) return out;
  for (std::size_t i = 0; i < front; ++i) out.push_back({' ', a[i]});
  middle(cut_a, cut_b, out);
  for (std::size_t i = a.size() - back; i < a.size(); ++i) out.push_back({' ', a[i]});
  return out;
}

}  // namespace

std::string text_diff(std::string_view before, std::string_view after) {
  if (before == after) return {};
  const TextLines a = split(before), b = split(after);
  const std::vector<Edit> all = edits(a, b);
  std::string out;
  std::size_t line_a = 1, line_b = 1, i = 0;
  while (i < all.size()) {
    if (all[i].kind == ' ') {
      ++line_a, ++line_b, ++i;
      continue;
    }
    // A hunk: from the context before this edit to the context after the last edit near it.
    const std::size_t lead = std::min(i, kContextLines);
    std::size_t last = i;
    for (std::size_t k = i; k < all.size() && k <= last + 2 * kContextLines; ++k)
      if (all[k].kind != ' ') last = k;
    const std::size_t begin = i - lead, end = std::min(all.size(), last + 1 + kContextLines);
    std::size_t count_a = 0, count_b = 0;
    std::string body;
    for (std::size_t k = begin; k < end; ++k) {
      count_a += all[k].kind != '+';
      count_b += all[k].kind != '-';
      body += fmt::format("{}{}\n", all[k].kind, all[k].line);
    }
    const std::size_t start_a = line_a - lead, start_b = line_b - lead;
    out += fmt::format("@@ -{},{} +{},{} @@\n{}", count_a == 0 ? 0 : start_a, count_a,
                       count_b == 0 ? 0 : start_b, count_b, body);
    for (std::size_t k = i; k < end; ++k) {
      line_a += all[k].kind != '+';
      line_b += all[k].kind != '-';
    }
    i = end;
  }
  return out;
}

}  // namespace farboot
