#include "controller/import/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Listing listing_of(const std::vector<std::string>& files,
                   const std::vector<std::pair<std::string, std::string>>& links) {
  Listing listing;
  for (const std::string& path : files) listing.files.push_back({.path = path});
  for (const auto& [path, target] : links) listing.links.push_back({path, target});
  return listing;
}

std::string refusal(const Listing& listing) {
  auto links = resolve_links(listing);
  return links ? "accepted" : links.error().what;
}

TEST(Links, StandForFiles) {
  auto links = resolve_links(
      listing_of({"a/b/c", "d"}, {{"x", "a/b/c"}, {"a/y", "b/../../d"}, {"a/z", "./y"}}));
  ASSERT_TRUE(links) << links.error().what;
  EXPECT_THAT(*links, UnorderedElementsAre(Pair("x", "a/b/c"), Pair("a/y", "d"), Pair("a/z", "d")));
}

TEST(Links, StandForEveryFileOfADirectory) {
  auto links =
      resolve_links(listing_of({"pool/a", "pool/b/c"}, {{"Server", "pool"}, {"pool/b/d", "../a"}}));
  ASSERT_TRUE(links) << links.error().what;
  EXPECT_THAT(*links,
              UnorderedElementsAre(Pair("pool/b/d", "pool/a"), Pair("Server/a", "pool/a"),
                                   Pair("Server/b/c", "pool/b/c"), Pair("Server/b/d", "pool/a")));
}

TEST(Links, AreFollowedThroughLinksToDirectories) {
  auto links = resolve_links(listing_of({"real/file"}, {{"one", "real"}, {"two", "one/file"}}));
  ASSERT_TRUE(links) << links.error().what;
  EXPECT_THAT(*links,
              UnorderedElementsAre(Pair("one/file", "real/file"), Pair("two", "real/file")));
}

TEST(Links, ToTheirOwnDirectoryAreFollowedOnce) {
  auto links = resolve_links(listing_of({"f"}, {{"debian", "."}, {"sub/up", ".."}}));
  ASSERT_TRUE(links) << links.error().what;
  EXPECT_EQ(links->at("debian/f"), "f");
  EXPECT_EQ(links->at("sub/up/f"), "f");
  EXPECT_FALSE(links->contains("debian/debian/f"));
}

TEST(Links, AreRefusedWhenTheyLeaveDangleOrCircle) {
  EXPECT_THAT(refusal(listing_of({"f"}, {{"a/x", "../../etc"}})), HasSubstr("a/x: leaves"));
  EXPECT_THAT(refusal(listing_of({"f"}, {{"x", "/etc/passwd"}})), HasSubstr("x: leaves"));
  EXPECT_THAT(refusal(listing_of({"f"}, {{"x", "nothing"}})), HasSubstr("not in the tree"));
  EXPECT_THAT(refusal(listing_of({"f"}, {{"x", "y"}, {"y", "x"}})), HasSubstr("circles"));
}

/// Every directory links to every other, and nothing is a file.
Listing knot() {
  constexpr int kDirectories = 30;
  std::vector<std::pair<std::string, std::string>> links;
  for (int from = 0; from < kDirectories; ++from)
    for (int to = 0; to < kDirectories; ++to)
      if (from != to) links.emplace_back(fmt::format("{}/{}", from, to), fmt::format("../{}", to));
  return listing_of({}, links);
}

TEST(Links, AreRefusedWhenTheyAreAKnot) {
  EXPECT_THAT(refusal(knot()), HasSubstr("directory links lie in each other over"));
}

TEST(Links, MayBeBrokenOff) {
  int asked = 0;
  const auto links = resolve_links(knot(), [&asked]() -> Result<void> {
    if (++asked < 100) return {};
    return fail(Errc::cancelled, "import: cancelled");
  });
  ASSERT_FALSE(links);
  EXPECT_EQ(links.error().code, Errc::cancelled);
}

TEST(TreePathJoin, StaysInside) {
  EXPECT_EQ(*join_tree_path("a/b", "../c//./d"), "a/c/d");
  EXPECT_EQ(*join_tree_path("a", ".."), "");
  EXPECT_EQ(*join_tree_path("", "."), "");
  EXPECT_FALSE(join_tree_path("a", "../.."));
  EXPECT_FALSE(join_tree_path("a", "/b"));
}

}  // namespace
}  // namespace farboot
