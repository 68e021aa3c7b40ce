// What import makes of the .treeinfo of each distribution, and what its kernel is then told:
// tests/golden/treeinfo/NAME.treeinfo (and NAME.discinfo), written by hand in the form the
// distributions publish, beside NAME.txt.
#include <set>

#include <gtest/gtest.h>

#include "agent/boot/arguments.h"
#include "controller/import/tree_info.h"
#include "tests/support/golden.h"

namespace farboot {
namespace {

constexpr const char* kFolder = "treeinfo";

/// Everything the .treeinfo names is there.
TreeNames tree_of(const std::string& name) {
  const auto folder = golden::folder(kFolder);
  TreeNames names;
  names.texts[".treeinfo"] = golden::read_text(folder / (name + ".treeinfo"));
  if (const auto disc = folder / (name + ".discinfo"); std::filesystem::exists(disc))
    names.texts[".discinfo"] = golden::read_text(disc);
  const auto info = parse_tree_info(names.texts[".treeinfo"]);
  std::set<std::string> paths;
  if (info) paths.insert(info->images.begin(), info->images.end());
  names.has_file = [paths](std::string_view path) { return paths.contains(std::string(path)); };
  return names;
}

std::string text_of(const ImageFacts& facts, const std::string& tag) {
  ArgumentFacts given;
  given.tree_url = "http://192.0.2.9/t/abc";
  given.kickstart_url = "http://192.0.2.9/ks/token";
  given.mac = "52:54:00:aa:bb:cc";
  Image image;
  image.facts = facts;
  return fmt::format(
      "family    {}\ndistro    {}\nversion   {}\narch      {}\nkernel    {}\ninitrd    {}\n"
      "stage2    {}\nrepo      {}\ntag       {}\narguments {}\n",
      facts.family, facts.distro, facts.version, facts.arch, facts.kernel, facts.initrd,
      facts.stage2, facts.repo.empty() ? "(top)" : facts.repo, tag,
      family_arguments(image, "inst", given, ""));
}

class TreeGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(TreeGolden, IsUnderstood) {
  const TreeNames names = tree_of(GetParam());
  const auto facts = understand(names);
  ASSERT_TRUE(facts) << facts.error().what;
  expect_golden(fmt::format("{}/{}.txt", kFolder, GetParam()),
                text_of(*facts, default_tag(*facts, names)));
}

INSTANTIATE_TEST_SUITE_P(Distributions, TreeGolden,
                         ::testing::ValuesIn(golden::names(kFolder, ".treeinfo")),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace farboot
