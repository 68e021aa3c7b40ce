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
inline constexpr std::size_t kRenderedBytesMax = 16u << 20;
inline constexpr std::size_t kPartialDepthMax = 16;
inline constexpr std::size_t kSectionDepthMax = 64;

/// Values by full name; dots are part of the name (`host.mac`). A section `{{#name}}…{{/name}}`
/// shows when the value exists and is neither empty nor `false`; `{{^name}}` when not.
using TemplateValues = std::map<std::string, std::string, std::less<>>;
/// Partials `{{> name}}` by name; the type of a release's snippets.
using TemplatePartials = std::map<std::string, std::string>;

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
  /// Inside a `{{#name}}` of its own name: reached only where the value exists, so no error if it
  /// is unknown.
  bool guarded = false;
};

/// Every tag of `text`, in order; closing tags and comments left out. Errors: invalid, text begins
/// `line N: `: a tag that is not closed, sections that do not match, a change of delimiters, a name
/// that is not one (letters, digits, `_`, `-`, `.`), more than 64 sections inside each other, text
/// over kTemplateBytesMax.
Result<std::vector<TemplateTag>> template_tags(std::string_view text);

/// Standalone lines and the indent of partials as the Mustache manual says. Values go in as they
/// are and are not rendered again. Errors: invalid (`line N: …`, inside a partial `line N: partial
/// NAME: line M: …`): syntax, an unknown value that is reached, an unknown partial, partials nested
/// over 16 deep, a result over 16 MiB. A name used only as a section may be unknown: it is then
/// false.
Result<std::string> render_template(std::string_view text, const TemplateValues& values,
                                    const TemplatePartials& partials);

}  // namespace farboot
