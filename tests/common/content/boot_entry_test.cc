#include "common/content/boot_entry.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(FileSource, IsOneOfThreeFolders) {
  EXPECT_EQ(file_source("assets/a/b"), (FileSource{FileSource::In::assets, "a/b"}));
  EXPECT_EQ(file_source("loaders/wimboot"), (FileSource{FileSource::In::loaders, "wimboot"}));
  EXPECT_EQ(file_source("image/bootmgr"), (FileSource{FileSource::In::image, "bootmgr"}));
  for (const char* wrong : {"", "a", "assets", "assets/", "/assets/a", "images/a", "assets//a"})
    EXPECT_FALSE(file_source(wrong)) << wrong;
}

TEST(FileSource, IsThatOfThePlatformOrOfAny) {
  const FileSources sources{{"bios", "assets/b"}, {"any", "assets/a"}};
  EXPECT_EQ(source_for(sources, "bios")->path, "b");
  EXPECT_EQ(source_for(sources, "efi")->path, "a");
  EXPECT_EQ(source_for(sources, "any")->path, "a");
  EXPECT_FALSE(source_for({{"bios", "assets/b"}}, "efi"));
  EXPECT_FALSE(source_for({{"bios", "assets/b"}}, "any"));
}

TEST(BootFileName, IsWordsThatAScriptCanHold) {
  for (const char* name : {"BCD", "winpeshl.ini", "init mode=755", "/etc/x+y", "a"})
    EXPECT_TRUE(is_boot_file_name(name)) << name;
  for (const char* name :
       {"", " a", "a ", "a  b", "a#b", "a||b", "a;b", "a\nb", "${a}", "\xc3\xbc"})
    EXPECT_FALSE(is_boot_file_name(name)) << name;
  EXPECT_TRUE(is_boot_file_name(std::string(128, 'a')));
  EXPECT_FALSE(is_boot_file_name(std::string(129, 'a')));
}

TEST(EntryKind, HasOneNameEach) {
  for (const EntryKind kind :
       {EntryKind::install, EntryKind::tool, EntryKind::winpe, EntryKind::shell, EntryKind::local})
    EXPECT_EQ(entry_kind(entry_kind_name(kind)), kind);
  EXPECT_FALSE(entry_kind("other"));
}

}  // namespace
}  // namespace farboot
