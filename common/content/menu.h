// The menu that machines nobody assigned anything get. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace farboot {

inline constexpr std::size_t kMenuLinesMax = 1000;  ///< of all menus together
inline constexpr std::size_t kMenuDepthMax = 4;     ///< menus in menus

/// A line of a menu: an entry, a gap, or a menu of its own.
struct MenuItem {
  enum class Kind : std::uint8_t {
    entry,
    gap,
    menu
  };
  Kind kind = Kind::entry;
  std::string name;             ///< of the entry or the menu: one word, the iPXE label
  std::string title;            ///< text of a gap (may be empty), title of a menu
  std::string key;              ///< of a menu: its hot key, one character, or empty
  std::vector<MenuItem> items;  ///< of a menu

  MenuItem() = default;
  /// As fleet.yaml has lines: an entry's name; `-` or `- text` is a gap.
  MenuItem(std::string_view line);                                  // NOLINT: a line is a text
  MenuItem(const char* line) : MenuItem(std::string_view(line)) {}  // NOLINT
  MenuItem(const std::string& line) : MenuItem(std::string_view(line)) {}  // NOLINT
  static MenuItem menu(std::string name, std::string title, std::vector<MenuItem> items,
                       std::string key = {});

  bool operator==(const MenuItem&) const = default;
};

struct Menu {
  std::string title;              ///< a template
  Seconds timeout{0};             ///< 0: wait for ever
  std::string default_entry;      ///< entry name
  std::string picture;            ///< asset name for `console --picture`, or empty
  std::string template_name;      ///< operator's own script in `menus`; empty: generated
  std::vector<MenuItem> entries;  ///< shown, in this order

  /// True if a line of this menu, or of one in it, is that entry.
  bool shows(std::string_view entry) const;
  bool operator==(const Menu&) const = default;
};

bool has_menus(const std::vector<MenuItem>& items);
/// The lines without menus in them: in the place of one stands a gap with its title, then its
/// lines. What programs that know no sub-menus show.
std::vector<std::string> flat_lines(const std::vector<MenuItem>& items);

}  // namespace farboot
