#include "controller/import/tree_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/content/spelling.h"
#include "small_tree.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TreeNames names_of(std::set<std::string> paths, std::map<std::string, std::string> texts) {
  TreeNames names;
  names.has_file = [paths = std::move(paths)](std::string_view path) {
    return paths.contains(std::string(path));
  };
  names.texts = std::move(texts);
  return names;
}

void spelt_as_they_like(TreeNames& names, std::vector<std::string> paths) {
  names.in_any_case = [paths = std::move(paths)](std::string_view wanted) {
    Spelling spelling(wanted);
    for (const std::string& path : paths) spelling.look(path);
    return spelling.meant();
  };
}

TEST(Ini, ReadsSectionsKeysAndComments) {
  auto ini = parse_ini(
      "\xef\xbb\xbf; comment\r\n[a]\r\nkey = value = more\r\n# comment\nempty =\ncolon: x\n\n"
      "[ b ]\nkey=1\nkey=2\n");
  ASSERT_TRUE(ini) << ini.error().what;
  EXPECT_EQ((*ini)["a"]["key"], "value = more");
  EXPECT_EQ((*ini)["a"]["empty"], "");
  EXPECT_EQ((*ini)["a"]["colon"], "x");
  EXPECT_EQ((*ini)["b"]["key"], "2");
}

TEST(Ini, NamesTheLineThatIsNone) {
  EXPECT_THAT(parse_ini("[a]\nnonsense\n").error().what, HasSubstr("line 2"));
  EXPECT_THAT(parse_ini("key = before any section\n").error().what, HasSubstr("line 1"));
  EXPECT_THAT(parse_ini("[a\n").error().what, HasSubstr("closing bracket"));
}

TEST(TreeInfo, ReadsTheOldForm) {
  auto info = parse_tree_info(centos7_tree()[".treeinfo"]);
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_EQ(info->distro, "CentOS");
  EXPECT_EQ(info->version, "7");
  EXPECT_EQ(info->arch, "x86_64");
  EXPECT_EQ(info->kernel, "images/pxeboot/vmlinuz");
  EXPECT_EQ(info->stage2, "LiveOS/squashfs.img");
  EXPECT_EQ(info->checksums.size(), 5u);
  EXPECT_TRUE(info->repositories.empty());
}

TEST(TreeInfo, ReadsProductmd) {
  auto info = parse_tree_info(el9_dvd_tree()[".treeinfo"]);
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_EQ(info->distro, "Rocky Linux");
  EXPECT_EQ(info->version, "9.4");
  EXPECT_THAT(info->repositories, ElementsAre("AppStream", "BaseOS"));
}

// RHEL 6: the metadata's folder instead of the repository's, and addons.
TEST(TreeInfo, ReadsVariantsAndAddonsOfRhel6) {
  auto info = parse_tree_info(
      "[general]\nfamily = Red Hat Enterprise Linux\nversion = 6.3\narch = x86_64\n"
      "[variant-Server]\naddons = HighAvailability\nrepository = Server/repodata\n"
      "[addon-HighAvailability]\nrepository = HighAvailability\n"
      "[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n");
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_THAT(info->repositories, ElementsAre("Server"));
  EXPECT_THAT(info->addon_repositories, ElementsAre("HighAvailability"));
}

TEST(TreeInfo, RefusesChecksumsThatAreNone) {
  EXPECT_THAT(parse_tree_info("[checksums]\na = sha256:12\n").error().what, HasSubstr("a: '12'"));
  EXPECT_THAT(parse_tree_info("[checksums]\na = crc:12\n").error().what, HasSubstr("'crc'"));
}

TEST(Understand, TakesTheImagesWhereTreeinfoIsLost) {
  // rsync of old mirrors drops hidden files; the images tell enough to boot.
  auto facts = understand(names_of({"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img",
                                    "images/install.img", "repodata/repomd.xml"},
                                   {{".discinfo", "1.0\n8.5\naarch64\n"}}));
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->family, "redhat");
  EXPECT_EQ(facts->version, "8.5");
  EXPECT_EQ(facts->arch, "aarch64");
  EXPECT_EQ(facts->stage2, "images/install.img");
}

TEST(Understand, KnowsUbuntu) {
  const TreeNames names = names_of(
      {"casper/vmlinuz", "casper/initrd"},
      {{".disk/info", "Ubuntu-Server 22.04.3 LTS \"Jammy Jellyfish\" - Release amd64 (20230810)"}});
  auto facts = understand(names);
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->family, "ubuntu");
  EXPECT_EQ(facts->distro, "Ubuntu-Server");
  EXPECT_EQ(facts->version, "22.04.3");
  EXPECT_EQ(facts->arch, "x86_64");
  EXPECT_EQ(facts->kernel, "casper/vmlinuz");
  EXPECT_EQ(default_tag(*facts, names), "22.04.3");
}

TEST(Understand, PrefersDebiansNetworkImages) {
  auto facts =
      understand(names_of({"debian-installer/arm64/linux", "debian-installer/arm64/initrd.gz",
                           "install.a64/vmlinuz", "install.a64/initrd.gz"},
                          {}));
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->kernel, "debian-installer/arm64/linux");
  EXPECT_EQ(facts->family, "debian");
  EXPECT_EQ(facts->arch, "aarch64");
}

TEST(Understand, KnowsWindowsByItsBootWim) {
  auto facts = understand(names_of({"sources/boot.wim", "boot/bcd", "boot/boot.sdi"}, {}));
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->family, "windows");
  EXPECT_EQ(facts->kernel, "");
  EXPECT_THAT(understand(names_of({"README.TXT"}, {})).error().what, HasSubstr("UDF"));
}

TEST(Understand, KnowsWindowsHoweverItIsSpelt) {
  TreeNames names = names_of({"SOURCES/Boot.WIM", "EFI/Boot/bootaa64.efi"}, {});
  spelt_as_they_like(names, {"SOURCES/Boot.WIM", "EFI/Boot/bootaa64.efi"});
  auto facts = understand(names);
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->family, "windows");
  EXPECT_EQ(facts->arch, "aarch64");
}

TEST(Understand, RefusesWindowsInTwoSpellings) {
  const auto refusal = [](const std::vector<std::string>& paths) {
    TreeNames names = names_of({paths.begin(), paths.end()}, {});
    spelt_as_they_like(names, paths);
    const auto facts = understand(names);
    return facts ? "" : facts.error().what;
  };
  EXPECT_EQ(refusal({"SOURCES/boot.wim", "Sources/Boot.wim"}),
            "sources/boot.wim: is ambiguous, there are SOURCES/boot.wim and Sources/Boot.wim; keep "
            "one of them");
  EXPECT_EQ(refusal({"sources/boot.wim", "Boot/BCD", "BOOT/bcd", "Boot/Boot.sdi", "BOOT/boot.sdi"}),
            "")
      << "wimboot takes them out of boot.wim";
  EXPECT_EQ(refusal({"sources/boot.wim", "Sources/Boot.wim", "boot/bcd", "Boot/BCD"}), "")
      << "one is spelt as it is asked for";
}

TEST(Understand, RefusesATreeinfoWhoseStage2IsNotThere) {
  auto facts = understand(names_of({"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"},
                                   {{".treeinfo", centos7_tree()[".treeinfo"]}}));
  ASSERT_FALSE(facts);
  EXPECT_THAT(facts.error().what, HasSubstr("stage2 'LiveOS/squashfs.img'"));
}

TEST(Understand, ReadsTheVersionOfDebiansNetbootImages) {
  const TreeNames names = names_of(
      {"debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz"},
      {{"version.info", "Debian version:  12 (bookworm)\nInstaller build: 20230607+deb12u15\n"}});
  auto facts = understand(names);
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->family, "debian");
  EXPECT_EQ(facts->distro, "Debian");
  EXPECT_EQ(facts->version, "12");
  EXPECT_EQ(facts->arch, "x86_64");
  EXPECT_EQ(default_tag(*facts, names), "12-20230607-deb12u15");
}

TEST(Understand, AVersionInfoThatSaysNothingIsNoVersion) {
  for (const char* text : {"", "\n\n", "Debian version:", "Debian version: \n", "12"}) {
    const TreeNames names =
        names_of({"debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz"},
                 {{"version.info", text}});
    auto facts = understand(names);
    ASSERT_TRUE(facts) << facts.error().what;
    EXPECT_EQ(facts->version, "") << text;
    EXPECT_EQ(default_tag(*facts, names), "") << text;
  }
}

TEST(DefaultTag, IsAName) {
  const TreeNames nothing = names_of({}, {});
  ImageFacts facts;
  facts.version = "Rawhide 41 (Beta)";
  EXPECT_EQ(default_tag(facts, nothing), "rawhide-41-beta");
  facts.version = "\xc3\xbc";
  EXPECT_EQ(default_tag(facts, nothing), "");
}

}  // namespace
}  // namespace farboot
