#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "common/template/template.h"

// A template that includes itself as a partial `p`, with a few values known.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const TemplateValues values{{"a", "1"}, {"b", ""}, {"c.d", "{{a}}\r\n"}};
  const auto tags = template_tags(text);
  const auto rendered = render_template(text, values, {{"p", std::string(text)}});
  if (!tags) FARBOOT_CHECK(!rendered);
  if (text.find("{{") == std::string_view::npos && size <= kTemplateBytesMax)
    FARBOOT_CHECK(rendered && *rendered == text);
  return 0;
}
