// Aligned columns for people, and how numbers read. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/cli/terminal.h"

namespace farboot {

class Table {
 public:
  /// Titles that end in `>` are aligned to the right.
  explicit Table(std::vector<std::string> titles);
  struct Cell {
    std::string text;
    Colour colour = Colour::none;
    Cell(std::string value) : text(std::move(value)) {}  // NOLINT: a cell is a text
    Cell(const char* value) : text(value) {}             // NOLINT
    Cell(std::string value, Colour painted) : text(std::move(value)), colour(painted) {}
  };
  void add(std::vector<Cell> row);
  std::string text(const Terminal& terminal) const;

 private:
  std::vector<std::string> titles_;
  std::vector<bool> right_;
  std::vector<std::vector<Cell>> rows_;
};

/// `0 B`, `999 B`, `4.4 GB` (powers of 1000, as disks and links are sold).
std::string size_text(std::uint64_t bytes);
/// `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`
std::string duration_text(std::uint64_t seconds);
/// `r7`, or `-` for 0
std::string release_text(std::uint64_t number);
/// `done` of `total` as whole percent, 100 only when it is all; 0 if total is 0.
unsigned percent(std::uint64_t done, std::uint64_t total);
/// Columns a text takes: its code points.
std::size_t width(std::string_view text);
std::string join(const std::vector<std::string>& words, std::string_view between);

}  // namespace farboot
