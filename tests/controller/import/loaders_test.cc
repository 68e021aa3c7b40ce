#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/store/memory_store.h"
#include "controller/import/importer.h"
#include "small_tree.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TreeFiles kLoaders = {
    {"undionly.kpxe", "undi"}, {"snponly.efi", "snp 1.21.1"}, {"arm64-efi/snponly.efi", "a"},
    {"ipxe.iso", "not kept"},  {"README.txt", "not kept"},    {"ipxe.lkrn", "lkrn"},
    {"wimboot", "wim"}};

TEST(Loaders, ComeFromAFolderAndFoldersInIt) {
  const TempFolder temp;
  MemoryStore store;
  write_folder(kLoaders, temp.path().string());
  auto loaders = import_loaders(temp.path().string(), store);
  ASSERT_TRUE(loaders) << loaders.error().what;
  EXPECT_THAT(loaders->files, ElementsAre("arm64-efi/snponly.efi", "ipxe.lkrn", "snponly.efi",
                                          "undionly.kpxe", "wimboot"));
  EXPECT_THAT(loaders->warnings, IsEmpty());
  const auto manifest = get_manifest(store, loaders->manifest);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->find("undionly.kpxe")->sha256, sha256(as_bytes("undi")));
}

TEST(Loaders, ComeFromADebianPackageWithItsLinks) {
  const TempFolder temp;
  MemoryStore store;
  const std::string deb = (temp / "ipxe.deb").string();
  write_deb({{"boot/ipxe.efi", "efi 1.0.0+git-20190125.36a4c85-5.1"},
             {"usr/lib/ipxe/ipxe.efi", "-> /boot/ipxe.efi"},
             {"usr/lib/ipxe/undionly.kpxe", "undi"},
             {"usr/share/doc/ipxe/copyright", "text"}},
            deb);
  auto loaders = import_loaders(deb, store);
  ASSERT_TRUE(loaders) << loaders.error().what;
  EXPECT_THAT(loaders->files, ElementsAre("ipxe.efi", "undionly.kpxe"));
  EXPECT_THAT(loaders->warnings, ElementsAre(HasSubstr("16 s"), HasSubstr("hangs")));
}

TEST(Loaders, SayWhatWasLookedForWhenThereAreNone) {
  const TempFolder temp;
  MemoryStore store;
  write_folder({{"README", "x"}}, temp.path().string());
  auto none = import_loaders(temp.path().string(), store);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_THAT(none.error().what, HasSubstr("*.kpxe"));
  EXPECT_EQ(import_loaders((temp / "nothing").string(), store).error().code, Errc::not_found);
}

TEST(Loaders, RefuseAFileThatIsNoPackage) {
  const TempFolder temp;
  MemoryStore store;
  const std::string deb = (temp / "x.deb").string();
  write_file(deb, std::string(1000, 'x'));
  auto loaders = import_loaders(deb, store);
  ASSERT_FALSE(loaders);
  EXPECT_EQ(loaders.error().code, Errc::invalid);
}

}  // namespace
}  // namespace farboot
