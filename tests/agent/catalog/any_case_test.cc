#include "agent/catalog/any_case.h"

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
  const FileEntry* entry = find_in_any_case(tree, path).file;
  return entry == nullptr ? "" : entry->path;
}

TEST(AnyCase, FindsAFileInAnyCase) {
  const Manifest tree = tree_of({"Boot/BCD", "Boot/Fonts/wgl4_boot.ttf", "boot.sdi", "zImage"});
  for (const char* path : {"Boot/BCD", "boot/bcd", "BOOT/Bcd"})
    EXPECT_EQ(found(tree, path), "Boot/BCD") << path;
  EXPECT_EQ(found(tree, "boot/fonts/WGL4_BOOT.TTF"), "Boot/Fonts/wgl4_boot.ttf");
  EXPECT_EQ(found(tree, "ZIMAGE"), "zImage");
}

TEST(AnyCase, FindsNothingThatIsNotThere) {
  const Manifest tree = tree_of({"Boot/BCD", "b"});
  for (const char* path : {"", "boot", "boot/bcd/", "boot/bc", "boot/bcdx", "zzz", "a"})
    EXPECT_EQ(found(tree, path), "") << path;
  EXPECT_EQ(found(Manifest{}, "a"), "");
}

TEST(AnyCase, NeverGuessesBetweenTwo) {
  const Manifest tree = tree_of({"README", "ReadMe", "boot/x", "BOOT/y"});
  EXPECT_EQ(found(tree, "readme"), "");
  EXPECT_EQ(found(tree, "ReadMe"), "ReadMe") << "this very name";
  EXPECT_EQ(found(tree, "Boot/X"), "boot/x");
  EXPECT_EQ(found(tree, "BOOT/Y"), "BOOT/y");
}

/// Bytes beyond ASCII have no case here: which letters they are is not known.
TEST(AnyCase, LeavesOtherBytesAlone) {
  const Manifest tree = tree_of({"\xc3\x84.efi", "@[`{"});
  EXPECT_EQ(found(tree, "\xc3\xa4.efi"), "");
  EXPECT_EQ(found(tree, "\xc3\x84.EFI"), "\xc3\x84.efi");
  EXPECT_EQ(found(tree, "`{@["), "");
}

/// Every request of a client that spells as it likes costs this, on the loop.
TEST(AnyCase, LooksAtAFewNamesOfALargeTree) {
  std::vector<std::string> paths = {"Boot/BCD", "sources/Boot.wim", "SOURCES/install.wim"};
  for (int i = 0; i < 100'000; ++i)
    paths.push_back("sources/sxs/File" + std::to_string(i) + ".cab");
  const Manifest tree = tree_of(std::move(paths));
  for (const char* path : {"boot/bcd", "SOURCES/BOOT.WIM", "Sources/SXS/file77777.CAB",
                           "sources/sxs/FILE100000.cab", "sources/none", "Sources/Install.wim"}) {
    const AnyCase result = find_in_any_case(tree, path);
    EXPECT_LT(result.looks, 2000U) << path;
    EXPECT_EQ(result.file != nullptr, std::string_view(path).find("100000") == std::string::npos &&
                                          std::string_view(path).find("none") == std::string::npos)
        << path;
  }
}

/// Two spellings for each of so many letters: nobody asks for that, and it ends.
TEST(AnyCase, GivesUpWhereThereAreTooManySpellings) {
  std::vector<std::string> paths;
  for (int i = 0; i < 1 << 16; ++i) {
    std::string name(16, 'a');
    for (int bit = 0; bit < 16; ++bit)
      if ((i >> bit & 1) != 0) name[static_cast<std::size_t>(bit)] = 'A';
    paths.push_back(name + "/1");
  }
  const Manifest tree = tree_of(std::move(paths));
  const AnyCase result = find_in_any_case(tree, "aaaaaaaaaaaaaaaa/2");
  EXPECT_EQ(result.file, nullptr);
  EXPECT_LT(result.looks, kAnyCaseLooksMax + 200);
  EXPECT_GT(result.looks, 1000U) << "else this proves nothing";
}

}  // namespace
}  // namespace farboot
