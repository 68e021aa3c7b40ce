#include "common/template/template.h"

#include <gtest/gtest.h>

#include <kainjow/mustache.hpp>
#include <random>

namespace farboot {
namespace {

const TemplateValues kValues{{"x", "1"},
                             {"name", "web1"},
                             {"host.mac", "52:54:00:12:34:56"},
                             {"markup", "<a href=\"{{x}}\">&</a>"},
                             {"empty", ""},
                             {"no", "false"},
                             {"lines", "one\ntwo"}};

std::string rendered(std::string_view text, const TemplatePartials& partials = {}) {
  auto out = render_template(text, kValues, partials);
  return out ? *out : "error: " + out.error().what;
}

TEST(RenderTemplate, KeepsTextWithoutTagsByteForByte) {
  const std::string all = [] {
    std::string bytes;
    for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
    return bytes;
  }();
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("a\r\nb\r\n"), std::string("no newline"),
        std::string("  \n\t\n\n"),
        std::string("%pre\necho ${HOME} $name [[ x ]] <<E @BASE@ {#a} { {\n"),
        std::string("set url http://${net0/ip}/${mac:hexhyp}\n"), all})
    EXPECT_EQ(rendered(text), text);
}

TEST(RenderTemplate, PutsValuesInAsTheyAre) {
  EXPECT_EQ(rendered("{{name}} {{ host.mac }} {{{markup}}} {{&markup}} {{markup}}\r\n{{x}}"),
            "web1 52:54:00:12:34:56 <a href=\"{{x}}\">&</a> <a href=\"{{x}}\">&</a> "
            "<a href=\"{{x}}\">&</a>\r\n1");
  EXPECT_EQ(rendered("[{{empty}}]\n"), "[]\n");
}

TEST(RenderTemplate, ShowsSectionsOfValuesThatExist) {
  EXPECT_EQ(rendered("{{#x}}a{{/x}}{{^x}}b{{/x}}"), "a");
  EXPECT_EQ(rendered("{{#empty}}a{{/empty}}{{^empty}}b{{/empty}}"), "b");
  EXPECT_EQ(rendered("{{#no}}a{{/no}}{{^no}}b{{/no}}"), "b");
  EXPECT_EQ(rendered("{{#unknown}}{{unknown}}{{/unknown}}{{^unknown}}b{{/unknown}}"), "b");
  EXPECT_EQ(rendered("{{#x}}{{#name}}{{name}}{{/name}}{{^name}}none{{/name}}{{/x}}"), "web1");
}

TEST(RenderTemplate, TakesStandaloneLinesAway) {
  EXPECT_EQ(rendered("a\n{{#x}}\nb\n{{/x}}\nc\n"), "a\nb\nc\n");
  EXPECT_EQ(rendered("a\n  {{#x}} \t\n b\n\t{{/x}}\nc"), "a\n b\nc");
  EXPECT_EQ(rendered("a\n{{#unknown}}\nb\n{{/unknown}}\nc\n"), "a\nc\n");
  EXPECT_EQ(rendered("a\n{{! note\nof two lines }}\nb\n"), "a\nb\n");
  EXPECT_EQ(rendered("a\r\n{{#x}}\r\nb\r\n{{/x}}\r\nc\r\n"), "a\r\nb\r\nc\r\n");
  EXPECT_EQ(rendered("{{#x}}\na\n{{/x}}"), "a\n");
  EXPECT_EQ(rendered("a\n  {{^unknown}}\nb\n  {{/unknown}}"), "a\nb\n");
}

TEST(RenderTemplate, KeepsBlankLinesThatAreNotATagsOwn) {
  EXPECT_EQ(rendered("{{#x}}\n\nb\n\n{{/x}}\n\n"), "\nb\n\n\n");
  EXPECT_EQ(rendered("{{#x}} {{/x}}\n"), " \n");    // two tags: nobody's own line
  EXPECT_EQ(rendered(" {{name}} \n"), " web1 \n");  // values never take a line away
  EXPECT_EQ(rendered("a {{#x}}b{{/x}} \n"), "a b \n");
}

TEST(RenderTemplate, IndentsPartials) {
  const TemplatePartials partials{{"net", "ip {{x}}\n{{lines}}\nend\n"},
                                  {"tail", "{{> net}}no newline"}};
  EXPECT_EQ(rendered("a\n  {{> net}}\nb\n", partials), "a\n  ip 1\n  one\ntwo\n  end\nb\n");
  EXPECT_EQ(rendered("a {{> net}} b", partials), "a ip 1\none\ntwo\nend\n b");
  EXPECT_EQ(rendered("{{>tail}}", partials), "ip 1\none\ntwo\nend\nno newline");
}

TEST(RenderTemplate, NamesLineAndPartialOfAnError) {
  EXPECT_EQ(rendered("a\nb {{nope}}\n"), "error: line 2: 'nope' is not defined");
  EXPECT_EQ(rendered("\r\n\r\n{{> nope}}\n"), "error: line 3: partial 'nope' is not defined");
  EXPECT_EQ(rendered("a\n{{> p}}", {{"p", "\n\n{{nope}}"}}),
            "error: line 2: partial p: line 3: 'nope' is not defined");
}

TEST(RenderTemplate, RefusesWhatIsNotATemplate) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"a\n{{name", "line 2: tag is not closed"},
           {"{{", "line 1: tag is not closed"},
           {"{{{name}}", "line 1: tag is not closed"},
           {"{{}}", "line 1: tag without a name"},
           {"{{# }}", "line 1: '' is not a name a tag can have"},
           {"{{=<% %>=}}", "line 1: delimiters cannot be changed"},
           {"docker ps --format '{{.Names}}'", "line 1: '.Names' is not a name a tag can have"},
           {"{{a b}}", "line 1: 'a b' is not a name a tag can have"},
           {"\n{{#x}}", "line 2: section 'x' is not closed"},
           {"{{/x}}", "line 1: 'x' closes a section that was never opened"},
           {"{{#x}}\n{{#name}}{{/x}}{{/name}}", "line 2: 'x' closes section 'name' of line 2"}}) {
    EXPECT_EQ(rendered(text), "error: " + why) << text;
    EXPECT_FALSE(template_tags(text)) << text;
  }
}

TEST(RenderTemplate, BoundsWhatAHostileTemplateCosts) {
  std::string deep;
  for (std::size_t i = 0; i <= kSectionDepthMax; ++i) deep += "{{#x}}";
  EXPECT_NE(rendered(deep).find("sections nested"), std::string::npos);
  EXPECT_NE(rendered("{{>p}}", {{"p", "{{>p}}"}}).find("nested more than 16"), std::string::npos);
  TemplatePartials doubling;  // 10^15 inclusions that render to nothing
  for (int level = 0; level < 15; ++level) {
    std::string& text = doubling["p" + std::to_string(level)];
    for (int i = 0; i < 10; ++i) text += "{{>p" + std::to_string(level + 1) + "}}";
  }
  doubling["p15"] = "";
  EXPECT_NE(rendered("{{>p0}}", doubling).find("too often"), std::string::npos);
  const TemplatePartials big{{"big", std::string(1u << 20, 'x')}};
  std::string many;
  for (int i = 0; i < 17; ++i) many += "{{>big}}";
  EXPECT_NE(rendered(many, big).find("result over"), std::string::npos);
  EXPECT_NE(rendered(std::string(kTemplateBytesMax + 1, 'x')).find("more than"), std::string::npos);
}

TEST(TemplateTags, ListsTagsWithTheirLines) {
  auto tags = template_tags("{{a}}\n{{#b}}\n{{b}}{{c}}\n{{/b}}\n{{^d}}{{d}}{{/d}}{{! e }}{{> f}}");
  ASSERT_TRUE(tags) << tags.error().what;
  std::string out;
  for (const TemplateTag& tag : *tags)
    out += fmt::format("{}:{}:{}{} ", tag.line, tag.name, static_cast<int>(tag.kind),
                       tag.guarded ? "g" : "");
  EXPECT_EQ(out, "1:a:0 2:b:1 3:b:0g 3:c:0 5:d:2 5:d:0 5:f:3 ");
}

// Where it keeps to the manual (lines that hold text beside their tags), another implementation
// must agree with ours on random templates.
TEST(RenderTemplate, AgreesWithAnotherImplementation) {
  const unsigned seed = 20240131;
  std::mt19937 random(seed);
  kainjow::mustache::object values;
  for (const auto& [name, value] : TemplateValues{{"x", "1"}, {"name", "web1"}})
    values[name] = value;
  const TemplatePartials partials{{"p", "[{{x}}]"}};
  values["p"] = kainjow::mustache::partial([] { return std::string("[{{x}}]"); });
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    std::vector<std::string> open;
    for (int i = 0; i < 30; ++i) {
      switch (random() % 8) {
        case 0: text += "{{x}}"; break;
        case 1: text += "{{ name }}"; break;
        case 2: text += ".\r\n."; break;
        case 3: text += ". \t$x"; break;
        case 4: text += "{{>p}}"; break;
        case 5: {
          const bool known = random() % 2 == 0;
          open.push_back(known ? "x" : "unknown");
          text += (random() % 2 == 0 ? ".{{#" : ".{{^") + open.back() + "}}.";
          break;
        }
        case 6:
          if (!open.empty()) {
            text += ".{{/" + open.back() + "}}.";
            open.pop_back();
          }
          break;
        default: text += "}{ #"; break;
      }
    }
    for (; !open.empty(); open.pop_back()) text += ".{{/" + open.back() + "}}.";
    kainjow::mustache::mustache other(text);
    other.set_custom_escape([](const std::string& value) { return value; });
    EXPECT_EQ(rendered(text, partials), other.render(values)) << "seed " << seed << ": " << text;
  }
}

}  // namespace
}  // namespace farboot
