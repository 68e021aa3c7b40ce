#include "agent/catalog/folded_paths.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace farboot {
namespace {

Manifest tree_of(std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  Manifest tree;
  for (std::string& path : paths) {
    FileEntry entry;
    entry.path = std::move(path);
    tree.files.push_back(std::move(entry));
  }
  return tree;
}

std::string found(const Manifest& tree, std::string_view path) {
  const FoldedPaths folded(tree);
  const FileEntry* entry = folded.find(tree, path);
  return entry == nullptr ? "" : entry->path;
}

TEST(FoldedPaths, FindsAFileInAnyCase) {
  const Manifest tree = tree_of({"Boot/BCD", "Boot/Fonts/wgl4_boot.ttf", "boot.sdi", "zImage"});
  for (const char* path : {"Boot/BCD", "boot/bcd", "BOOT/Bcd"})
    EXPECT_EQ(found(tree, path), "Boot/BCD") << path;
  EXPECT_EQ(found(tree, "boot/fonts/WGL4_BOOT.TTF"), "Boot/Fonts/wgl4_boot.ttf");
  EXPECT_EQ(found(tree, "ZIMAGE"), "zImage");
}

TEST(FoldedPaths, FindsNothingThatIsNotThere) {
  const Manifest tree = tree_of({"Boot/BCD", "b"});
  for (const char* path : {"", "boot", "boot/bcd/", "boot/bc", "boot/bcdx", "zzz", "a"})
    EXPECT_EQ(found(tree, path), "") << path;
  EXPECT_EQ(found(Manifest{}, "a"), "");
}

TEST(FoldedPaths, NeverGuessesBetweenTwo) {
  const Manifest tree = tree_of({"README", "ReadMe", "boot/x", "BOOT/y"});
  EXPECT_EQ(found(tree, "readme"), "");
  EXPECT_EQ(found(tree, "Boot/X"), "boot/x");
}

/// Bytes beyond ASCII have no case here: which letters they are is not known.
TEST(FoldedPaths, LeavesOtherBytesAlone) {
  const Manifest tree = tree_of({"\xc3\x84.efi", "@[`{"});
  EXPECT_EQ(found(tree, "\xc3\xa4.efi"), "");
  EXPECT_EQ(found(tree, "\xc3\x84.EFI"), "\xc3\x84.efi");
  EXPECT_EQ(found(tree, "`{@["), "");
}

}  // namespace
}  // namespace farboot
