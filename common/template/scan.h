// From template text to a flat list of parts, standalone lines already trimmed. Pure; shared by
// template_tags() and render_template().
#pragma once

#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace farboot {

struct TemplatePart {
  enum class Kind {
    text,
    value,
    section,
    inverted,
    close,
    partial
  };
  Kind kind = Kind::text;
  std::string_view text;    ///< text: the bytes; others: the name
  std::string_view indent;  ///< partial on a line of its own: the blanks before it
  std::size_t line = 1;     ///< 1-based
  std::size_t close = 0;    ///< section, inverted: index of its close part
};

/// The parts borrow `text`. Errors: as template_tags().
Result<std::vector<TemplatePart>> scan_template(std::string_view text);

}  // namespace farboot
