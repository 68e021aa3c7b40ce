// Where the words go: a person's screen, a pipe, a test.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace farboot {

enum class Colour {
  none,
  red,
  green,
  yellow,
  blue,
  dim,
  bold
};

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool out_is_tty = false;
  bool err_is_tty = false;
  bool colour = false;  ///< only on a tty, and without NO_COLOR (no-color.org)
  std::size_t columns = 80;

  /// `text` in a colour, if colours are on.
  std::string paint(Colour colour, std::string_view text) const;
};

/// stdout and stderr as they are.
Terminal standard_terminal();

}  // namespace farboot
