#include "common/template/variables.h"

#include <gtest/gtest.h>

#include <set>

namespace farboot {
namespace {

TEST(MergeVariables, FollowsTheWrittenPrecedence) {
  const TemplateValues merged =
      merge_variables({{"a", "fleet"}, {"b", "fleet"}, {"c", "fleet"}, {"d", "fleet"}},
                      {{"b", "entry"}, {"c", "entry"}, {"d", "entry"}},
                      {{"c", "site"}, {"d", "site"}}, {{"d", "host"}});
  EXPECT_EQ(merged, (TemplateValues{{"a", "fleet"}, {"b", "entry"}, {"c", "site"}, {"d", "host"}}));
}

TEST(BuiltinVariables, AreNamesOfTemplatesEachOnce) {
  std::set<std::string_view> seen;
  for (const BuiltinVariable& variable : builtin_variables()) {
    EXPECT_TRUE(seen.insert(variable.name).second) << variable.name;
    EXPECT_TRUE(variable.in_menu || variable.in_kickstart) << variable.name;
    EXPECT_FALSE(variable.meaning.empty());
    EXPECT_TRUE(template_tags(fmt::format("{{{{{}}}}}", variable.name))) << variable.name;
  }
}

}  // namespace
}  // namespace farboot
