#include "controller/fleet/entry_needs.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

struct Sample {
  Release release;
  Manifest assets;
  std::map<std::string, Manifest> trees;
  std::vector<std::string> loaders{"snponly.efi", "wimboot"};

  Sample() {
    release.images.push_back({.name = "win", .tag = "11", .facts = {.family = "windows"}});
    release.images.push_back({.name = "c7", .tag = "1", .facts = {.family = "redhat"}});
    release.entries.push_back({.name = "pe", .kind = EntryKind::winpe, .image = "win@11"});
    release.entries[0].files = {{"shl.ini", {{"any", "assets/shl.ini"}}},
                                {"bootmgr", {{"bios", "image/bootmgr"}}}};
    release.entries.push_back({.name = "c7", .image = "c7@1"});
    release.entries.push_back({.name = "tool", .kind = EntryKind::tool});
    release.entries[2].boot = {{"efi", "loaders/snponly.efi"}};
    assets.files.push_back({.path = "shl.ini"});
  }
  std::string refusal() const {
    const auto good = check_entry_needs(release, assets, loaders, trees);
    return good ? "" : good.error().what;
  }
};

TEST(EntryNeeds, AreMetBySound) { EXPECT_EQ(Sample().refusal(), ""); }

TEST(EntryNeeds, WindowsNeedsWimbootAndAWindowsImage) {
  Sample sample;
  sample.loaders = {"snponly.efi"};
  EXPECT_EQ(
      sample.refusal(),
      "entry pe: kind winpe needs wimboot, which is not among the boot loaders; put it into a "
      "folder on the controller and run `farboot loader import FOLDER --add`");
  sample = Sample();
  sample.release.entries[0].image = "c7@1";
  EXPECT_EQ(sample.refusal(), "entry pe: image c7@1 holds no Windows: kind winpe is not for it");
}

TEST(EntryNeeds, NothingElseBootsAWindowsImage) {
  for (const EntryKind kind : {EntryKind::install, EntryKind::tool}) {
    Sample sample;
    sample.release.entries[1].kind = kind;
    sample.release.entries[1].image = "win@11";
    EXPECT_EQ(sample.refusal(), "entry c7: image win@11 holds Windows: say kind winpe");
  }
  Sample sample;
  sample.release.entries[2].image = "win@11";
  EXPECT_EQ(sample.refusal(), "") << "a tool may take files from it";
}

TEST(EntryNeeds, FilesOfAnImageAreFoundInAnyCase) {
  Sample sample;
  EXPECT_EQ(images_looked_into(sample.release), std::vector<std::string>{"win@11"});
  Manifest& tree = sample.trees["win@11"];
  tree.files = {{.path = "BOOTMGR"}, {.path = "Sources/Boot.wim"}};
  EXPECT_EQ(sample.refusal(), "");
  tree.files.push_back({.path = "sources/BOOT.WIM"});
  EXPECT_EQ(sample.refusal(),
            "entry pe: image win@11: sources/boot.wim: is ambiguous, there are Sources/Boot.wim "
            "and sources/BOOT.WIM; keep one of them");
  sample.release.entries[0].files["boot.wim"] = {{"any", "image/BOOTMGR"}};
  EXPECT_EQ(sample.refusal(), "") << "it has its own";
  tree.files.push_back({.path = "BootMgr"});
  EXPECT_EQ(sample.refusal(),
            "entry pe: files: bootmgr: image/bootmgr: is ambiguous, there are BOOTMGR and "
            "BootMgr; keep one of them");
  tree.files.push_back({.path = "bootmgr"});
  EXPECT_EQ(sample.refusal(), "") << "it is spelt as it is asked for";
  tree.files.clear();
  EXPECT_EQ(sample.refusal(), "entry pe: files: boot.wim: image/BOOTMGR: is not there");
}

TEST(EntryNeeds, BootWimIsJudgedAsAgentsFindIt) {
  Sample sample;
  sample.release.entries[0].files.clear();
  Manifest& tree = sample.trees["win@11"];
  const std::string ambiguous =
      "entry pe: image win@11: sources/boot.wim: is ambiguous, there are Sources/boot.wim and "
      "SOURCES/boot.wim; keep one of them";
  tree.files = {{.path = "Sources/boot.wim"}, {.path = "SOURCES/boot.wim"}};
  EXPECT_EQ(sample.refusal(), ambiguous);
  sample.release.entries[0].files = {{"Boot.WIM", {{"any", "assets/shl.ini"}}}};
  EXPECT_EQ(sample.refusal(), "") << "its own, by the name wimboot knows in any case";
  sample.release.entries[0].files.clear();
  tree.files.push_back({.path = "BOOT.WIM"});
  EXPECT_EQ(sample.refusal(), "") << "agents take the one at the root";
  tree.files.push_back({.path = "Boot.wim"});
  EXPECT_EQ(sample.refusal(), ambiguous) << "the one at the root cannot be told either";
  tree.files = {{.path = "BOOT.WIM"}, {.path = "Boot.wim"}};
  EXPECT_EQ(sample.refusal(),
            "entry pe: image win@11: boot.wim: is ambiguous, there are BOOT.WIM and Boot.wim; keep "
            "one of them");
  tree.files.clear();
  EXPECT_EQ(sample.refusal(), "entry pe: image win@11: sources/boot.wim: is not there");
}

TEST(EntryNeeds, FilesMustBeThere) {
  Sample sample;
  sample.assets.files.clear();
  EXPECT_EQ(sample.refusal(), "entry pe: files: shl.ini: assets/shl.ini: is not there");
  sample = Sample();
  sample.loaders = {"wimboot"};
  EXPECT_EQ(sample.refusal(), "entry tool: boot: loaders/snponly.efi: is not there");
}

}  // namespace
}  // namespace farboot
