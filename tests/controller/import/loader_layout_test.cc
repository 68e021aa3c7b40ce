#include "controller/import/loader_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "agent/dhcp/decide.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string in_package(std::string_view path) {
  return loader_name(path, LoaderPlace::package).value_or("-");
}
std::string in_folder(std::string_view path) {
  return loader_name(path, LoaderPlace::folder).value_or("-");
}

TEST(LoaderLayout, KnowsDebiansPackages) {
  const std::map<std::string, std::string> rows{
      {"usr/lib/ipxe/undionly.kpxe", "undionly.kpxe"},
      {"usr/lib/ipxe/undionly.kkpxe", "undionly.kkpxe"},
      {"usr/lib/ipxe/ipxe.pxe", "ipxe.pxe"},
      {"usr/lib/ipxe/ipxe.lkrn", "ipxe.lkrn"},
      {"usr/lib/ipxe/snponly.efi", "snponly.efi"},
      {"usr/lib/ipxe/ipxe-loong64.efi", "ipxe-loong64.efi"},
      {"usr/lib/ipxe/ipxe.iso", "-"},
      {"boot/ipxe.efi", "-"},
      {"usr/share/doc/ipxe/copyright", "-"},
      {"usr/lib/shim/shimx64.efi.signed", "shim/shimx64.efi"},
      {"usr/lib/shim/shimaa64.efi.signed", "shim/shimaa64.efi"},
      {"usr/lib/shim/mmx64.efi.signed", "shim/mmx64.efi"},
      {"usr/lib/shim/fbx64.efi.signed", "-"},
      {"usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", "shim/grubx64.efi"},
      {"usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed", "shim/grubaa64.efi"},
      {"usr/lib/grub/x86_64-efi-signed/grubnetx64-installer.efi.signed", "-"},
      {"usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", "-"},
      {"usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", "-"},
      {"usr/lib/grub/i386-efi/monolithic/grubnetia32.efi", "grub/grubia32.efi"},
      {"usr/lib/grub/i386-efi/monolithic/grubnetia32-installer.efi", "-"},
      {"usr/lib/grub/i386-efi/monolithic/gcdia32.efi", "-"},
      {"usr/lib/grub/x86_64-efi/acpi.mod", "-"},
      {"boot/memtest86+x64.bin", "memtest/x64.bin"},
      {"boot/memtest86+ia32.efi", "memtest/ia32.efi"},
      {"usr/lib/memtest86+/memtest86+x64.iso", "-"},
      {"usr/lib/raspi-firmware/start4.elf", "rpi/start4.elf"},
      {"usr/lib/firmware/brcm/brcmfmac43430-sdio.txt", "-"},
  };
  for (const auto& [path, name] : rows) EXPECT_EQ(in_package(path), name) << path;
}

TEST(LoaderLayout, KnowsPackagesThatWereUnpackedToAFolder) {
  EXPECT_EQ(in_folder("deb/usr/lib/shim/shimx64.efi.signed"), "shim/shimx64.efi");
  EXPECT_EQ(in_folder("shim/mmx64.efi.signed"), "shim/mmx64.efi");
  EXPECT_EQ(in_folder("deb/usr/lib/ipxe/undionly.kpxe"), "undionly.kpxe");
  EXPECT_EQ(in_folder("boot/memtest86+x64.efi"), "memtest/x64.efi");
}

TEST(LoaderLayout, KeepsWhatNoRowNamesByItsPathInTheFolder) {
  EXPECT_EQ(in_folder("loaders/undionly.kpxe"), "undionly.kpxe");
  EXPECT_EQ(in_folder("loaders/own/special.efi"), "own/special.efi");
  EXPECT_EQ(in_folder("wimboot"), "wimboot");
  EXPECT_EQ(in_folder("loaders/x/wimboot.x86_64"), "x/wimboot.x86_64");
  EXPECT_EQ(in_folder("x86_64-sb/ipxe-shim.efi"), "ipxe-shim.efi");
  EXPECT_EQ(in_folder("ipxeboot/x86_64-sb/ipxe-shim.efi"), "x86_64-sb/ipxe-shim.efi");
  for (const char* other : {"loaders/README", "src/bin/ipxe.o", "src/bin/undionly.kpxe.zinfo",
                            "src/bin-arm64-efi/snponly.efi.tmp", "loaders/", "", "/", "rpi"})
    EXPECT_EQ(in_folder(other), "-") << other;
}

TEST(LoaderLayout, KeepsTheFolderOfAPiWhole) {
  EXPECT_EQ(in_folder("rpi/start4.elf"), "rpi/start4.elf");
  EXPECT_EQ(in_folder("srv/rpi/overlays/x.dtbo"), "rpi/overlays/x.dtbo");
  EXPECT_EQ(in_folder("srv/arpi/overlays/x.dtbo"), "-");
}

/// What iPXE's own build makes for each machine must be among the names that the agents' table
/// looks for, whether the source is iPXE's folder, one folder of it, or a copy without `bin-`.
TEST(LoaderLayout, NamesBuildsAsTheAgentsTableAsksForThem) {
  const std::map<std::uint16_t, std::vector<std::string>> builds{
      {0, {"bin/undionly.kpxe", "bin/ipxe.pxe", "bin-i386-pcbios/undionly.kpxe"}},
      {6, {"bin-i386-efi/snponly.efi", "i386-efi/ipxe.efi", "i386/ipxe.efi"}},
      {7, {"bin-x86_64-efi/snponly.efi", "x86_64-efi/ipxe.efi", "x86_64/snponly.efi"}},
      {10, {"bin-arm32-efi/snponly.efi", "arm32-efi/ipxe.efi", "arm32/ipxe.efi"}},
      {11, {"bin-arm64-efi/snponly.efi", "arm64-efi/ipxe.efi", "arm64/snponly.efi"}},
      {0x19, {"bin-riscv32-efi/snponly.efi", "riscv32-efi/ipxe.efi", "riscv32/ipxe.efi"}},
      {0x1b, {"bin-riscv64-efi/snponly.efi", "riscv64-efi/ipxe.efi", "riscv64/ipxe.efi"}},
      {0x27, {"bin-loong64-efi/snponly.efi", "loong64-efi/ipxe.efi", "loong64/ipxe.efi"}},
  };
  const auto table = dhcp::default_loaders();
  for (const auto& [arch, paths] : builds) {
    const auto row = std::find_if(table.begin(), table.end(),
                                  [arch = arch](const auto& each) { return each.arch == arch; });
    ASSERT_NE(row, table.end()) << arch;
    for (const std::string& path : paths)
      for (const std::string& where : {path, "src/" + path})
        EXPECT_THAT(row->names, ::testing::Contains(in_folder(where))) << where;
  }
}

/// The head of an EFI program for `machine`, and text in it.
Bytes program(unsigned machine, std::string_view text) {
  Bytes bytes(0x80, 0);
  bytes[0] = 'M';
  bytes[1] = 'Z';
  bytes[0x3c] = 0x40;
  bytes[0x40] = 'P';
  bytes[0x41] = 'E';
  bytes[0x44] = static_cast<std::uint8_t>(machine & 0xff);
  bytes[0x45] = static_cast<std::uint8_t>(machine >> 8);
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}
constexpr std::string_view kWhole("https://ipxe.org\0HTTP\0Menu\0", 27);

TEST(LoaderWarnings, SaysWhenAProgramIsForOtherMachinesThanItsName) {
  EXPECT_THAT(loader_warnings("snponly.efi", program(0x8664, kWhole)), IsEmpty());
  EXPECT_THAT(loader_warnings("snponly-arm64.efi", program(0xaa64, kWhole)), IsEmpty());
  EXPECT_THAT(loader_warnings("ipxe-amd64.efi", program(0x8664, kWhole)), IsEmpty());
  EXPECT_THAT(loader_warnings("snponly.efi", program(0xaa64, kWhole)),
              ElementsAre(HasSubstr("a program for arm64, but x86_64 machines are given it")));
  EXPECT_THAT(loader_warnings("shim/shimx64.efi", program(0xaa64, "")), IsEmpty());
}

TEST(LoaderWarnings, SaysWhenAnIpxeWasBuiltWithoutWhatOurScriptsNeed) {
  EXPECT_THAT(loader_warnings("ipxe.efi", program(0x8664, {"ipxe.org\0HTTP\0HTTPS\0", 20})),
              ElementsAre(HasSubstr("without menus")));
  EXPECT_THAT(loader_warnings("ipxe.efi", program(0x8664, {"ipxe.org\0TFTP\0Menu\0", 19})),
              ElementsAre(HasSubstr("without HTTP")));
  EXPECT_THAT(loader_warnings("grub/grubx64.efi", program(0x8664, "GRUB")), IsEmpty());
  const std::string_view compressed = "ipxe.org";
  EXPECT_THAT(loader_warnings("undionly.kpxe", as_bytes(compressed)), IsEmpty())
      << "a BIOS loader is compressed: nothing is known of it";
}

TEST(LoaderWarnings, StandAnyProgramHeader) {
  const Bytes whole = program(0x8664, kWhole);
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    static_cast<void>(loader_warnings("ipxe.efi", cut));
  }
  Bytes far = whole;
  far[0x3c] = far[0x3d] = far[0x3e] = far[0x3f] = 0xff;
  EXPECT_THAT(loader_warnings("ipxe.efi", far), IsEmpty());
}

}  // namespace
}  // namespace farboot
