#include "common/template/template.h"

#include <algorithm>

#include "common/template/scan.h"

namespace farboot {
namespace {

// Partials that include each other twice double the work at each of the 16 levels: bounded by what
// is scanned in one rendering, each inclusion counting at least kInclusionCost.
constexpr std::size_t kScannedBytesMax = 32u << 20;
constexpr std::size_t kInclusionCost = 256;

bool is_true(const TemplateValues& values, std::string_view name) {
  const auto found = values.find(name);
  return found != values.end() && !found->second.empty() && found->second != "false";
}

/// As the Mustache manual has it: the indent goes before each line of the partial's own text.
std::string indented(std::string_view text, std::string_view indent) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t newline = text.find('\n', at);
    const std::size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
    out.append(indent).append(text.substr(at, end - at));
    at = end;
  }
  return out;
}

class Renderer {
 public:
  Renderer(const TemplateValues& values, const TemplatePartials& partials)
      : values_(values), partials_(partials) {}

  Result<void> render(std::string_view text, std::size_t depth) {
    scanned_ += text.size() + kInclusionCost;
    if (scanned_ > kScannedBytesMax)
      return fail(Errc::invalid, "line 1: partials include each other too often");
    auto parts = scan_template(text);
    if (!parts) return parts.error();
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const TemplatePart& part = (*parts)[i];
      switch (part.kind) {
        case TemplatePart::Kind::text:
        case TemplatePart::Kind::value: {
          auto added = append(part);
          if (!added) return added.error();
          break;
        }
        case TemplatePart::Kind::section:
          if (!is_true(values_, part.text)) i = part.close;
          break;
        case TemplatePart::Kind::inverted:
          if (is_true(values_, part.text)) i = part.close;
          break;
        case TemplatePart::Kind::close: break;
        case TemplatePart::Kind::partial: {
          auto included = include(part, depth);
          if (!included) return included.error();
          break;
        }
      }
    }
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  Result<void> append(const TemplatePart& part) {
    std::string_view text = part.text;
    if (part.kind == TemplatePart::Kind::value) {
      const auto found = values_.find(part.text);
      if (found == values_.end())
        return fail(Errc::invalid, "line {}: '{}' is not defined", part.line, part.text);
      text = found->second;
    }
    if (text.size() > kRenderedBytesMax - out_.size())
      return fail(Errc::invalid, "line {}: result over {} bytes", part.line, kRenderedBytesMax);
    out_ += text;
    return {};
  }

  Result<void> include(const TemplatePart& part, std::size_t depth) {
    const auto found = partials_.find(std::string(part.text));
    if (found == partials_.end())
      return fail(Errc::invalid, "line {}: partial '{}' is not defined", part.line, part.text);
    if (depth >= kPartialDepthMax)
      return fail(Errc::invalid, "line {}: partials nested more than {} deep", part.line,
                  kPartialDepthMax);
    const std::string moved =
        part.indent.empty() ? std::string() : indented(found->second, part.indent);
    auto rendered =
        render(part.indent.empty() ? std::string_view(found->second) : moved, depth + 1);
    if (!rendered)
      return prefix(fmt::format("line {}: partial {}", part.line, part.text), rendered.error());
    return {};
  }

  const TemplateValues& values_;
  const TemplatePartials& partials_;
  std::string out_;
  std::size_t scanned_ = 0;
};

}  // namespace

Result<std::vector<TemplateTag>> template_tags(std::string_view text) {
  auto parts = scan_template(text);
  if (!parts) return parts.error();
  std::vector<TemplateTag> tags;
  std::vector<const TemplatePart*> open;
  for (const TemplatePart& part : *parts) {
    TemplateTag tag{std::string(part.text), part.line};
    switch (part.kind) {
      case TemplatePart::Kind::text: continue;
      case TemplatePart::Kind::close: open.pop_back(); continue;
      case TemplatePart::Kind::value:
        tag.guarded = std::any_of(open.begin(), open.end(), [&](const TemplatePart* section) {
          return section->kind == TemplatePart::Kind::section && section->text == part.text;
        });
        break;
      case TemplatePart::Kind::section:
        tag.kind = TemplateTag::Kind::section;
        open.push_back(&part);
        break;
      case TemplatePart::Kind::inverted:
        tag.kind = TemplateTag::Kind::inverted;
        open.push_back(&part);
        break;
      case TemplatePart::Kind::partial: tag.kind = TemplateTag::Kind::partial; break;
    }
    tags.push_back(std::move(tag));
  }
  return tags;
}

Result<std::string> render_template(std::string_view text, const TemplateValues& values,
                                    const TemplatePartials& partials) {
  Renderer renderer(values, partials);
  auto rendered = renderer.render(text, 0);
  if (!rendered) return rendered.error();
  return renderer.take();
}

}  // namespace farboot
