// Every architecture there is: what a machine of it is told, by PXE or HTTP boot.
#include "agent/dhcp/loaders.h"

#include <gtest/gtest.h>

#include <ostream>
#include <set>

#include <fmt/format.h>

#include "agent/dhcp/describe.h"
#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

struct ArchCase {
  std::uint16_t number = 0;
  std::string name;
  std::string file;  ///< empty: silence
  bool by_http = false;

  friend std::ostream& operator<<(std::ostream& out, const ArchCase& row) {
    return out << row.name;
  }
};

Packet asking_as(const ArchCase& row) {
  Packet request = golden_request(row.by_http ? "edk2_x64_http_discover" : "edk2_x64_discover");
  for (Option& option : request.options)
    if (option.code == code::kArchitecture)
      option.value = {static_cast<std::uint8_t>(row.number >> 8),
                      static_cast<std::uint8_t>(row.number)};
  return request;
}

class DhcpArchitecture : public testing::TestWithParam<ArchCase> {};

TEST_P(DhcpArchitecture, GetsItsOwnFileOrNothing) {
  const ArchCase& row = GetParam();
  const Packet request = asking_as(row);
  const Decision decision = decide(request, arrival_of(""), Policy{}, every_loader());
  EXPECT_EQ(arch_text(request), fmt::format("{}/{}", row.number, row.name));
  if (row.file.empty()) {
    EXPECT_EQ(silent(decision), row.number == 0x29 ? Why::raspberry_pi : Why::no_loader);
    return;
  }
  EXPECT_EQ(told(decision).packet.file, row.by_http ? "http://10.77.0.2/" + row.file : row.file);
}

const std::vector<ArchCase> kEveryArch = {
    {0x00, "bios", "undionly.kpxe"},
    {0x01, "pc98", ""},
    {0x02, "itanium", ""},
    {0x03, "alpha", ""},
    {0x04, "arc_x86", ""},
    {0x05, "intel_lean_client", ""},
    {0x06, "ia32_uefi", "snponly-i386.efi"},
    {0x07, "x64_uefi", "snponly.efi"},
    {0x08, "xscale_efi", ""},
    {0x09, "ebc_uefi", "snponly.efi"},
    {0x0a, "arm32_uefi", "snponly-arm32.efi"},
    {0x0b, "arm64_uefi", "snponly-arm64.efi"},
    {0x0c, "powerpc_open_firmware", ""},
    {0x0d, "powerpc_epapr", ""},
    {0x0e, "power_opal", ""},
    {0x0f, "ia32_uefi_http", "snponly-i386.efi", true},
    {0x10, "x64_uefi_http", "snponly.efi", true},
    {0x11, "ebc_uefi_http", "snponly.efi", true},
    {0x12, "arm32_uefi_http", "snponly-arm32.efi", true},
    {0x13, "arm64_uefi_http", "snponly-arm64.efi", true},
    {0x14, "bios_http", "", true},
    {0x15, "arm32_uboot", ""},
    {0x16, "arm64_uboot", ""},
    {0x17, "arm32_uboot_http", "", true},
    {0x18, "arm64_uboot_http", "", true},
    {0x19, "riscv32_uefi", "snponly-riscv32.efi"},
    {0x1a, "riscv32_uefi_http", "snponly-riscv32.efi", true},
    {0x1b, "riscv64_uefi", "snponly-riscv64.efi"},
    {0x1c, "riscv64_uefi_http", "snponly-riscv64.efi", true},
    {0x1d, "riscv128_uefi", ""},
    {0x1e, "riscv128_uefi_http", "", true},
    {0x1f, "s390_basic", ""},
    {0x20, "s390_extended", ""},
    {0x21, "mips32_uefi", ""},
    {0x22, "mips64_uefi", ""},
    {0x23, "sunway32_uefi", ""},
    {0x24, "sunway64_uefi", ""},
    {0x25, "loong32_uefi", ""},
    {0x26, "loong32_uefi_http", "", true},
    {0x27, "loong64_uefi", "snponly-loong64.efi"},
    {0x28, "loong64_uefi_http", "snponly-loong64.efi", true},
    {0x29, "raspberry_pi_rom", ""},
};

INSTANTIATE_TEST_SUITE_P(Every, DhcpArchitecture, testing::ValuesIn(kEveryArch),
                         [](const auto& row) { return row.param.name; });

TEST(DhcpArchitectures, AreAllTried) {
  ASSERT_EQ(architectures().size(), kEveryArch.size());
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kEveryArch.size(); ++i) {
    EXPECT_EQ(architectures()[i].number, i) << "no number is left out";
    EXPECT_EQ(kEveryArch[i].number, i);
    EXPECT_TRUE(names.insert(architectures()[i].name).second) << architectures()[i].name;
  }
  EXPECT_EQ(architecture(0x2a), nullptr);
}

TEST(DhcpArchitectures, OneThatDoesNotExistIsToldFromOneWithoutLoaders) {
  const Packet request = asking_as({.number = 0x2a, .name = "", .file = ""});
  EXPECT_EQ(silent(decide(request, arrival_of(""), {}, every_loader())), Why::unknown_arch);
  EXPECT_EQ(arch_text(request), "42");
  EXPECT_EQ(arch_text(golden_request("dhclient_discover")), "none");
}

TEST(DhcpArchitectures, AnHttpNumberInAPxeRequestGetsNoPxeFile) {
  for (const std::uint16_t number : {0x0f, 0x10, 0x13}) {
    const Packet request = asking_as({.number = number, .name = "", .file = "", .by_http = false});
    EXPECT_EQ(silent(decide(request, arrival_of(""), {}, every_loader())), Why::no_loader);
  }
}

TEST(DhcpArchitectures, APxeNumberInAnHttpRequestIsTheSameMachine) {
  const auto asks = [](std::uint16_t number) {
    return decide(asking_as({.number = number, .name = "", .file = "", .by_http = true}),
                  arrival_of(""), {}, every_loader());
  };
  EXPECT_EQ(told(asks(0x0b)).packet.file, "http://10.77.0.2/snponly-arm64.efi");
  EXPECT_EQ(silent(asks(0x00)), Why::no_loader) << "undionly is nothing for HTTP boot";
}

TEST(DhcpArchitectures, ASiteMayNameAFileForOneWithoutLoaders) {
  Policy policy;
  policy.loaders = {{.arch = 0x14, .names = {"memtest.iso"}}};
  const Packet request = asking_as({.number = 0x14, .name = "", .file = "", .by_http = true});
  EXPECT_EQ(told(decide(request, arrival_of(""), policy, every_loader())).packet.file,
            "http://10.77.0.2/memtest.iso");
}

}  // namespace
}  // namespace farboot::dhcp
