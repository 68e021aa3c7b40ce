#include "common/template/scan.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/template/template.h"

namespace farboot {
namespace {

constexpr std::size_t kNameBytesMax = 128;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_tag_name(std::string_view name) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kNameBytesMax && word(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return word(c) || c == '-' || c == '.'; });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// One `{{…}}` as it stands in the text.
struct RawTag {
  std::size_t begin = 0;  ///< of `{{`
  std::size_t end = 0;    ///< behind `}}`
  char sigil = 0;         ///< `#^/>!` or 0 for a value
  std::string_view name;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Result<std::vector<TemplatePart>> run() {
    if (text_.size() > kTemplateBytesMax)
      return fail(Errc::invalid, "line 1: template of {} bytes: more than {}", text_.size(),
                  kTemplateBytesMax);
    for (;;) {
      const std::size_t begin = text_.find("{{", at_);
      if (begin == std::string_view::npos) break;
      auto tag = read_tag(begin);
      if (!tag) return tag.error();
      auto taken = take(*tag);
      if (!taken) return taken.error();
    }
    add_text(text_.size());
    if (!open_.empty())
      return fail(Errc::invalid, "line {}: section '{}' is not closed", parts_[open_.back()].line,
                  parts_[open_.back()].text);
    return std::move(parts_);
  }

 private:
  Result<RawTag> read_tag(std::size_t begin) {
    line_ += static_cast<std::size_t>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                   text_.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
    counted_ = begin;
    const bool triple = text_.substr(begin + 2).starts_with("{");
    const std::string_view closing = triple ? "}}}" : "}}";
    const std::size_t inner = begin + (triple ? 3 : 2);
    const std::size_t close = text_.find(closing, inner);
    if (close == std::string_view::npos)
      return fail(Errc::invalid, "line {}: tag is not closed", line_);
    RawTag tag{begin, close + closing.size(), 0, trimmed(text_.substr(inner, close - inner))};
    if (tag.name.empty()) return fail(Errc::invalid, "line {}: tag without a name", line_);
    const char first = tag.name.front();
    if (first == '=' && !triple)
      return fail(Errc::invalid, "line {}: delimiters cannot be changed", line_);
    if (!triple && std::string_view("#^/>!&").find(first) != std::string_view::npos) {
      tag.sigil = first == '&' ? '\0' : first;
      tag.name = trimmed(tag.name.substr(1));
    }
    if (tag.sigil != '!' && !is_tag_name(tag.name))
      return fail(Errc::invalid, "line {}: '{}' is not a name a tag can have", line_,
                  printable(tag.name, 60));
    return tag;
  }

  /// Files the tag, with the text before it; a tag on a line of its own takes the line with it.
  Result<void> take(const RawTag& tag) {
    std::size_t before = tag.begin, after = tag.end;
    std::string_view indent;
    if (tag.sigil != 0) {
      while (before > 0 && is_blank(text_[before - 1])) --before;
      while (after < text_.size() && is_blank(text_[after])) ++after;
      const std::string_view rest = text_.substr(after);
      const bool line_begins = before == 0 || text_[before - 1] == '\n';
      const bool line_ends = rest.empty() || rest.starts_with('\n') || rest.starts_with("\r\n");
      if (line_begins && line_ends) {
        indent = text_.substr(before, tag.begin - before);
        after += rest.empty() ? 0 : rest.starts_with('\n') ? 1 : 2;
      } else {
        before = tag.begin;
        after = tag.end;
      }
    }
    add_text(before);
    at_ = after;
    switch (tag.sigil) {
      case '!': return {};
      case '#': return open(TemplatePart::Kind::section, tag.name);
      case '^': return open(TemplatePart::Kind::inverted, tag.name);
      case '/': return close(tag.name);
      case '>': parts_.push_back({TemplatePart::Kind::partial, tag.name, indent, line_, 0}); break;
      default: parts_.push_back({TemplatePart::Kind::value, tag.name, {}, line_, 0}); break;
    }
    return {};
  }

  void add_text(std::size_t end) {
    if (end > at_)
      parts_.push_back({TemplatePart::Kind::text, text_.substr(at_, end - at_), {}, line_, 0});
  }

  Result<void> open(TemplatePart::Kind kind, std::string_view name) {
    if (open_.size() >= kSectionDepthMax)
      return fail(Errc::invalid, "line {}: sections nested more than {} deep", line_,
                  kSectionDepthMax);
    open_.push_back(parts_.size());
    parts_.push_back({kind, name, {}, line_, 0});
    return {};
  }

  Result<void> close(std::string_view name) {
    if (open_.empty())
      return fail(Errc::invalid, "line {}: '{}' closes a section that was never opened", line_,
                  name);
    TemplatePart& section = parts_[open_.back()];
    if (section.text != name)
      return fail(Errc::invalid, "line {}: '{}' closes section '{}' of line {}", line_, name,
                  section.text, section.line);
    section.close = parts_.size();
    open_.pop_back();
    parts_.push_back({TemplatePart::Kind::close, name, {}, line_, 0});
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;       ///< text before this is filed
  std::size_t counted_ = 0;  ///< newlines before this are in line_
  std::size_t line_ = 1;
  std::vector<std::size_t> open_;
  std::vector<TemplatePart> parts_;
};

}  // namespace

Result<std::vector<TemplatePart>> scan_template(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace farboot
