#include "controller/cli/table.h"

#include <algorithm>

#include <fmt/format.h>

namespace farboot {

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
  for (std::string& title : titles_) {
    right_.push_back(title.ends_with('>'));
    if (right_.back()) title.pop_back();
  }
}

void Table::add(std::vector<Cell> row) {
  row.resize(titles_.size(), Cell(""));
  for (Cell& cell : row)
    if (cell.text.empty()) cell.text.assign(1, '-');
  rows_.push_back(std::move(row));
}

std::string Table::text(const Terminal& terminal) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < titles_.size(); ++i) {
    std::size_t most = width(titles_[i]);
    for (const auto& row : rows_) most = std::max(most, width(row[i].text));
    widths.push_back(most);
  }
  std::string out;
  const auto put = [&](std::size_t i, const std::string& plain, const std::string& painted) {
    const std::string pad(widths[i] - width(plain), ' ');
    const bool last = i + 1 == titles_.size();
    if (right_[i])
      out += pad + painted;
    else
      out += painted + (last ? "" : pad);
    out += last ? "\n" : "  ";
  };
  for (std::size_t i = 0; i < titles_.size(); ++i)
    put(i, titles_[i], terminal.paint(Colour::bold, titles_[i]));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      put(i, row[i].text, terminal.paint(row[i].colour, row[i].text));
  return out;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  static constexpr std::string_view kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration_text(std::uint64_t seconds) {
  const auto two = [](std::uint64_t big, const char* big_unit, std::uint64_t small,
                      const char* small_unit) {
    return small == 0 ? fmt::format("{} {}", big, big_unit)
                      : fmt::format("{} {} {} {}", big, big_unit, small, small_unit);
  };
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return two(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86400) return two(seconds / 3600, "h", seconds % 3600 / 60, "min");
  return two(seconds / 86400, "d", seconds % 86400 / 3600, "h");
}

std::string release_text(std::uint64_t number) {
  return number == 0 ? "-" : fmt::format("r{}", number);
}

unsigned percent(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return 0;
  if (done >= total) return 100;
  return static_cast<unsigned>(static_cast<double>(done) * 100 / static_cast<double>(total));
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
  return fmt::format("{}", fmt::join(words, between));
}

}  // namespace farboot
