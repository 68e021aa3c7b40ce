// Menus, kickstarts and kernel arguments: Mustache, HTML escaping off, no change of delimiters,
// line endings and the last newline kept byte for byte. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace farboot {

inline constexpr std::size_t kTemplateBytesMax = 1u << 20;

/// Values by full name; dots are part of the name (`host.mac`). A section `{{#name}}…{{/name}}`
/// shows when the value exists and is neither empty nor `false`; `{{^name}}` when not.
using TemplateValues = std::map<std::string, std::string, std::less<>>;
/// Partials `{{> name}}` by name.
using TemplatePartials = std::map<std::string, std::string, std::less<>>;

struct TemplateTag {
  enum class Kind {
    value,
    section,
    inverted,
    partial
  };
  std::string name;
  std::size_t line = 1;  ///< 1-based
  Kind kind = Kind::value;
};

/// Every tag of `text`, in order. Errors: invalid, text begins `line N: `.
Result<std::vector<TemplateTag>> template_tags(std::string_view text);

/// Errors: invalid (`line N: …`): syntax, an unknown value, an unknown partial, partials nested
/// over 16 deep or a result over 16 MiB. A name used only as a section may be unknown: it is then
/// false.
Result<std::string> render_template(std::string_view text, const TemplateValues& values,
                                    const TemplatePartials& partials);

}  // namespace farboot
