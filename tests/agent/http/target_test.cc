#include "agent/http/target.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

struct Case {
  std::string_view target;
  std::string_view path;
  bool directory = false;
};

TEST(Target, IsDecodedOnceThenResolved) {
  const Case cases[] = {
      {"/", "", true},
      {"/a/b", "a/b"},
      {"/a//b", "a/b"},
      {"//a///b", "a/b"},
      {"/a/b/", "a/b", true},
      {"/a/./b", "a/b"},
      {"/a/.", "a", true},
      {"/a/../b", "b"},
      {"/a/b/..", "a", true},
      {"/a/b/../../c", "c"},
      {"/os/../../x", "<Errc::not_found>"},
      {"/..", "<Errc::not_found>"},
      {"/%2e%2e/etc/passwd", "<Errc::not_found>"},
      {"/a/%2E%2e/b", "b"},
      {"/a%2Fb", "a/b"},
      {"/%252e%252e/x", "%2e%2e/x"},
      {"/libstdc++-4.8.rpm", "libstdc++-4.8.rpm"},
      {"/libstdc%2B%2b.rpm", "libstdc++.rpm"},
      {"/a%20b", "a b"},
      {"/a\\..\\b", "a\\..\\b"},
      {"/.treeinfo", ".treeinfo"},
      {"/...", "..."},
      {"/a?x=/../..", "a"},
      {"/a#part", "a"},
      {"/%C3%BC", "\xc3\xbc"},
      {"http://pi/t/x", "t/x"},
      {"HTTP://10.0.0.1:8080/t/x?y", "t/x"},
      {"https://pi", "", true},
      {"http://pi?x", "", true},
      {"", "<Errc::invalid>"},
      {"*", "<Errc::invalid>"},
      {"a/b", "<Errc::invalid>"},
      {"pi:80", "<Errc::invalid>"},
      {"ftp://pi/x", "<Errc::invalid>"},
      {"/%", "<Errc::invalid>"},
      {"/%4", "<Errc::invalid>"},
      {"/%zz", "<Errc::invalid>"},
      {"/a%00b", "<Errc::invalid>"},
      {"/a%0d%0ab", "<Errc::invalid>"},
      {"/a%7f", "<Errc::invalid>"},
  };
  for (const Case& c : cases) {
    auto target = parse_target(c.target);
    if (target) {
      EXPECT_EQ(target->path, c.path) << c.target;
      EXPECT_EQ(target->directory, c.directory) << c.target;
    } else {
      EXPECT_EQ("<Errc::" + std::string(to_string(target.error().code)) + ">", c.path) << c.target;
    }
  }
}

TEST(Target, KeepsTheQueryAsItCame) {
  auto target = parse_target("/boot/x.ipxe?uuid=%20&a=b?c");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "boot/x.ipxe");
  EXPECT_EQ(target->query, "uuid=%20&a=b?c");
}

TEST(Target, RefusesWhatIsTooLong) {
  auto target = parse_target("/" + std::string(kTargetBytesMax, 'a'));
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code, Errc::exhausted);
}

TEST(Query, IsDecodedOnce) {
  const auto pairs =
      parse_query("uuid=1-2&serial=VM%20ware%2b+1&&empty=&flag&x=%zz&x=2", PlusSign::plus);
  const QueryPairs wanted{{"uuid", "1-2"}, {"serial", "VM ware++1"},
                          {"empty", ""},   {"flag", ""},
                          {"x", "%zz"},    {"x", "2"}};
  EXPECT_EQ(pairs, wanted);
  EXPECT_EQ(query_value(pairs, "x"), "%zz");
  EXPECT_EQ(query_value(pairs, "absent"), "");
}

TEST(Query, TakesAPlusAsABlankOnlyInForms) {
  EXPECT_EQ(parse_query("a=b+c%2B", PlusSign::blank), (QueryPairs{{"a", "b c+"}}));
  EXPECT_EQ(parse_query("a=b+c%2B", PlusSign::plus), (QueryPairs{{"a", "b+c+"}}));
}

TEST(Query, IsBounded) {
  std::string query;
  for (std::size_t i = 0; i < 10 * kQueryPairsMax; ++i) query += "a=b&";
  EXPECT_EQ(parse_query(query, PlusSign::plus).size(), kQueryPairsMax);
}

}  // namespace
}  // namespace farboot
