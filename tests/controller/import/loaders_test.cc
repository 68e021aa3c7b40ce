#include "controller/import/loaders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>

#include "common/store/memory_store.h"
#include "small_tree.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LoadersTest : public ::testing::Test {
 protected:
  std::string folder_of(const TreeFiles& files, const std::string& name) {
    const std::string path = (temp_ / name).string();
    write_folder(files, path);
    return path;
  }
  std::string deb_of(const TreeFiles& files, const std::string& name) {
    const std::string path = (temp_ / name).string();
    write_deb(files, path);
    return path;
  }
  Result<LoaderChange> import(const std::vector<std::string>& sources, bool add = false) {
    auto change = import_loaders({sources, add}, held_, store_);
    if (change) held_ = change->record;
    return change;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const LoaderFile& file : held_->files) out.push_back(file.path);
    return out;
  }
  Digest digest_of(const std::string& path) const {
    const auto manifest = get_manifest(store_, held_->manifest);
    const FileEntry* file = manifest ? manifest->find(path) : nullptr;
    return file == nullptr ? Digest{} : file->sha256;
  }

  TempFolder temp_;
  MemoryStore store_;
  std::optional<LoaderRecord> held_;
};

TEST_F(LoadersTest, ComeFromAFolderAndFoldersInIt) {
  const std::string folder = folder_of({{"undionly.kpxe", "undi"},
                                        {"snponly.efi", "snp 1.21.1"},
                                        {"arm64-efi/snponly.efi", "a"},
                                        {"ipxe.iso", "not kept"},
                                        {"README.txt", "not kept"},
                                        {"ipxe.lkrn", "lkrn"},
                                        {"own/special.efi", "own"},
                                        {"wimboot", "wim"}},
                                       "loaders");
  const auto change = import({folder + "/"});
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_THAT(names(), ElementsAre("ipxe.lkrn", "own/special.efi", "snponly-arm64.efi",
                                   "snponly.efi", "undionly.kpxe", "wimboot"));
  EXPECT_THAT(change->record.warnings, IsEmpty());
  EXPECT_THAT(change->notes, IsEmpty());
  EXPECT_EQ(digest_of("undionly.kpxe"), sha256(as_bytes("undi")));
  EXPECT_EQ(digest_of("snponly-arm64.efi"), sha256(as_bytes("a")));
}

/// As Debian 12's package lays them: two of the files lie in /boot.
TEST_F(LoadersTest, ComeFromADebianPackageWithItsLinks) {
  const std::string deb = deb_of({{"boot/ipxe.efi", "efi 1.0.0+git-20190125.36a4c85-5.1"},
                                  {"boot/ipxe.lkrn", "lkrn"},
                                  {"etc/grub.d/20_ipxe", "text"},
                                  {"usr/lib/ipxe/ipxe.efi", "-> /boot/ipxe.efi"},
                                  {"usr/lib/ipxe/ipxe.lkrn", "-> /boot/ipxe.lkrn"},
                                  {"usr/lib/ipxe/ipxe.iso", "iso"},
                                  {"usr/lib/ipxe/snponly.efi", "snp 1.0.0+git-20190125"},
                                  {"usr/lib/ipxe/undionly.kpxe", "undi"},
                                  {"usr/share/doc/ipxe/copyright", "text"}},
                                 "ipxe.deb");
  const auto change = import({deb});
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_THAT(names(), ElementsAre("ipxe.efi", "ipxe.lkrn", "snponly.efi", "undionly.kpxe"));
  EXPECT_THAT(change->record.warnings, ElementsAre(HasSubstr("16 s"), HasSubstr("hangs")));
}

/// As Debian 13's package lays them: all beside each other, more machines.
TEST_F(LoadersTest, ComeFromDebian13sPackage) {
  const std::string deb = deb_of({{"usr/lib/ipxe/ipxe-amd64.efi", "x64"},
                                  {"usr/lib/ipxe/ipxe-arm64.efi", "arm"},
                                  {"usr/lib/ipxe/ipxe.efi", "-> ipxe-amd64.efi"},
                                  {"usr/lib/ipxe/undionly.kkpxe", "undi"}},
                                 "ipxe13.deb");
  ASSERT_TRUE(import({deb}));
  EXPECT_THAT(names(),
              ElementsAre("ipxe-amd64.efi", "ipxe-arm64.efi", "ipxe.efi", "undionly.kkpxe"));
  EXPECT_EQ(digest_of("ipxe.efi"), sha256(as_bytes("x64")));
}

TEST_F(LoadersTest, ComeFromSeveralSourcesAtOnce) {
  const std::string ipxe = folder_of({{"undionly.kpxe", "undi"}, {"snponly.efi", "snp"}}, "ipxe");
  const std::string shim =
      deb_of({{"usr/lib/shim/shimx64.efi.signed", "shim"}, {"usr/share/doc/x", "x"}}, "shim.deb");
  const std::string grub =
      deb_of({{"usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", "grub"},
              {"usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", "for discs"}},
             "grub.deb");
  const std::string wimboot = (temp_ / "wimboot").string();
  write_file(wimboot, "wim");
  const auto change = import({ipxe, shim, grub, wimboot});
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_EQ(held_->files, (std::vector<LoaderFile>{{"shim/grubx64.efi", grub},
                                                   {"shim/shimx64.efi", shim},
                                                   {"snponly.efi", ipxe},
                                                   {"undionly.kpxe", ipxe},
                                                   {"wimboot", wimboot}}));
  EXPECT_EQ(digest_of("shim/grubx64.efi"), sha256(as_bytes("grub")));
  EXPECT_THAT(held_->sources(), ElementsAre(grub, shim, ipxe, wimboot));
}

TEST_F(LoadersTest, ASecondImportSaysWhatItDrops) {
  const std::string ipxe = folder_of({{"undionly.kpxe", "undi"}, {"snponly.efi", "snp"}}, "ipxe");
  const std::string own = folder_of({{"snponly.efi", "mine"}}, "own");
  ASSERT_TRUE(import({ipxe}));
  const auto change = import({own});
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_THAT(names(), ElementsAre("snponly.efi"));
  EXPECT_THAT(change->notes,
              ElementsAre(AllOf(HasSubstr("no longer there: undionly.kpxe (of " + ipxe + ")"),
                                HasSubstr("--add"))));
}

TEST_F(LoadersTest, AddedOnesLieBesideAndOverWhatIsThere) {
  const std::string ipxe =
      folder_of({{"undionly.kpxe", "undi"}, {"snponly.efi", "snp +git-2019"}}, "ipxe");
  const std::string own = folder_of({{"snponly.efi", "mine"}, {"wimboot", "wim"}}, "own");
  ASSERT_TRUE(import({ipxe}));
  EXPECT_THAT(held_->warnings, ElementsAre(HasSubstr("16 s")));
  const auto change = import({own}, true);
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_EQ(held_->files, (std::vector<LoaderFile>{
                              {"snponly.efi", own}, {"undionly.kpxe", ipxe}, {"wimboot", own}}));
  EXPECT_EQ(digest_of("snponly.efi"), sha256(as_bytes("mine")));
  EXPECT_THAT(change->notes, ElementsAre(AllOf(HasSubstr("snponly.efi is now that of " + own),
                                               HasSubstr("no longer that of " + ipxe))));
  EXPECT_THAT(held_->warnings, IsEmpty()) << "the file they were about is gone";
}

TEST_F(LoadersTest, WarningsStayWithTheFilesTheyAreAbout) {
  ASSERT_TRUE(import({folder_of({{"snponly.efi", "snp +git-2019"}}, "ipxe")}));
  ASSERT_TRUE(import({folder_of({{"wimboot", "wim"}}, "own")}, true));
  EXPECT_THAT(held_->warnings, ElementsAre(HasSubstr("16 s")));
}

TEST_F(LoadersTest, TwoFilesForOneNameAreTold) {
  const auto change = import({folder_of({{"bin-x86_64-efi/snponly.efi", "new"},
                                         {"snponly.efi", "old"},
                                         {"x86_64-efi/ipxe.efi", "i"},
                                         {"ipxe.efi", "i"}},
                                        "two")});
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_EQ(digest_of("snponly.efi"), sha256(as_bytes("new")));
  EXPECT_THAT(change->notes,
              ElementsAre(AllOf(HasSubstr("snponly.efi is bin-x86_64-efi/snponly.efi"),
                                HasSubstr("left out"))))
      << "the two ipxe.efi are the same";
}

TEST_F(LoadersTest, AreRemovedByNameAndByFolder) {
  ASSERT_TRUE(import({folder_of({{"undionly.kpxe", "undi"},
                                 {"wimboot", "wim"},
                                 {"memtest86+x64.bin", "m"},
                                 {"memtest86+x64.efi", "m"}},
                                "loaders")}));
  const auto change = remove_loaders({"wimboot", "memtest"}, *held_, store_);
  ASSERT_TRUE(change) << change.error().what;
  held_ = change->record;
  EXPECT_THAT(names(), ElementsAre("undionly.kpxe"));
  EXPECT_NE(digest_of("undionly.kpxe"), Digest{});
  EXPECT_EQ(remove_loaders({"undi"}, *held_, store_).error().code, Errc::not_found);
  EXPECT_EQ(remove_loaders({""}, *held_, store_).error().code, Errc::not_found);
  EXPECT_EQ(remove_loaders({"undionly.kpxe"}, *held_, store_).error().code, Errc::conflict);
}

TEST_F(LoadersTest, SayWhatWasLookedForWhenThereAreNone) {
  const auto none = import({folder_of({{"README", "x"}}, "empty")});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_THAT(none.error().what, HasSubstr("*.kpxe"));
  EXPECT_EQ(import({(temp_ / "nothing").string()}).error().code, Errc::not_found);
}

TEST_F(LoadersTest, RefuseAFileThatIsNeitherPackageNorLoader) {
  const std::string file = (temp_ / "x.deb").string();
  write_file(file, std::string(1000, 'x'));
  EXPECT_EQ(import({file}).error().code, Errc::invalid);
  write_file(file, "!<arch>\n" + std::string(1000, 'x'));
  EXPECT_EQ(import({file}).error().code, Errc::invalid);
  write_deb({{"usr/lib/ipxe/undionly.kpxe", noise(5'000, 1)}}, file);
  std::string damaged = read_file(file);
  damaged[damaged.size() - 1000] = static_cast<char>(damaged[damaged.size() - 1000] ^ 1);
  write_file(file, damaged);
  EXPECT_EQ(import({file}).error().code, Errc::invalid) << "the checksum of its data.tar.xz";
}

TEST_F(LoadersTest, RefuseAPipeAndADevice) {
  const std::string folder = folder_of({{"undionly.kpxe", "undi"}}, "loaders");
  const std::string pipe = folder + "/wimboot";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& source : {pipe, std::string("/dev/zero")}) {
    const auto change = import({source});  // or this test waits for ever
    ASSERT_FALSE(change) << source;
    EXPECT_THAT(change.error().what, HasSubstr("is no file, but a pipe, a device")) << source;
  }
  const std::string links = folder_of({{"undionly.kpxe", "undi"}}, "links");
  std::filesystem::create_symlink(pipe, links + "/ipxe.efi");
  const auto change = import({links});
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().code, Errc::invalid) << change.error().what;
}

TEST_F(LoadersTest, RefuseAPackageOfVeryManyFilesOrBytes) {
  TreeFiles many{{"usr/lib/ipxe/undionly.kpxe", "undi"}};
  for (int i = 0; i < 20'000; ++i) many[fmt::format("usr/share/doc/{}", i)] = "";
  auto change = import({deb_of(many, "many.deb")});
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().code, Errc::exhausted) << change.error().what;
  // Its first file says that it has 3 GiB; the rest is not looked at.
  std::string header(512, '\0');
  header.replace(0, 15, "usr/share/doc/x");
  header.replace(100, 7, "0000644");
  header.replace(124, 11, "30000000000");
  header.replace(148, 8, "        ");
  header[156] = '0';
  header.replace(257, 8, std::string("ustar\0", 6) + "00");
  unsigned sum = 0;
  for (const char each : header) sum += static_cast<unsigned char>(each);
  header.replace(148, 7, fmt::format("{:06o}", sum) + '\0');
  const std::string file = (temp_ / "large.deb").string();
  write_file(file, "!<arch>\n" +
                       fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "data.tar", 0, 0, 0,
                                   100644, header.size()) +
                       header);
  change = import({file});
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().code, Errc::exhausted) << change.error().what;
}

TEST_F(LoadersTest, ASingleFileHasTheArchitectureOfItsFolder) {
  const std::string folder = folder_of({{"bin-arm64-efi/snponly.efi", "a"}}, "src");
  const auto change = import({folder + "/bin-arm64-efi/snponly.efi"});
  ASSERT_TRUE(change) << change.error().what;
  EXPECT_THAT(names(), ElementsAre("snponly-arm64.efi"));
}

TEST_F(LoadersTest, LinksOfAPackageCountAsTheBytesTheyAre) {
  TreeFiles files{{"boot/a.efi", std::string(60u << 20, 'a')}};
  for (int i = 0; i < 9; ++i) files[fmt::format("boot/{}.efi", i)] = "-> a.efi";
  const auto change = import({deb_of(files, "links.deb")});
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().code, Errc::exhausted) << change.error().what;
}

TEST_F(LoadersTest, AnOperatorsFolderForAPiIsKeptWhole) {
  const std::string folder = folder_of(
      {{"start4.elf", "elf"}, {"config.txt", "arm_64bit=1"}, {"overlays/vc4.dtbo", "dt"}}, "rpi");
  ASSERT_TRUE(import({folder}));
  EXPECT_THAT(names(), ElementsAre("rpi/config.txt", "rpi/overlays/vc4.dtbo", "rpi/start4.elf"));
}

}  // namespace
}  // namespace farboot
