#include "agent/dhcp/loaders.h"

#include <algorithm>

namespace farboot::dhcp {
namespace {

// snponly: the firmware's own driver of the card it booted from, so any card and any virtual
// machine.
const std::vector<Architecture>& known_architectures() {
  static const std::vector<Architecture> rows = {
      {0x00, "bios", {}, {"undionly.kpxe", "undionly.kkpxe", "ipxe.pxe"}},
      {0x01, "pc98", {}, {}},
      {0x02, "itanium", {}, {}},
      {0x03, "alpha", {}, {}},
      {0x04, "arc_x86", {}, {}},
      {0x05, "intel_lean_client", {}, {}},
      {0x06, "ia32_uefi", {}, {"snponly-i386.efi", "ipxe-i386.efi", "ipxe32.efi"}},
      {0x07, "x64_uefi", {}, {"snponly.efi", "snponly-x86_64.efi", "ipxe.efi", "ipxe-x86_64.efi"}},
      {0x08, "xscale_efi", {}, {}},
      {0x09, "ebc_uefi", {}, {}},
      {0x0a, "arm32_uefi", {}, {"snponly-arm32.efi", "ipxe-arm32.efi"}},
      {0x0b, "arm64_uefi", {}, {"snponly-arm64.efi", "ipxe-arm64.efi"}},
      {0x0c, "powerpc_open_firmware", {}, {}},
      {0x0d, "powerpc_epapr", {}, {}},
      {0x0e, "power_opal", {}, {}},
      {0x0f, "ia32_uefi_http", 0x06, {}},
      {0x10, "x64_uefi_http", 0x07, {}},
      {0x11, "ebc_uefi_http", 0x09, {}},
      {0x12, "arm32_uefi_http", 0x0a, {}},
      {0x13, "arm64_uefi_http", 0x0b, {}},
      // Not that of 0: firmware without TFTP boots an .iso or .img, never undionly.
      {0x14, "bios_http", {}, {}},
      {0x15, "arm32_uboot", {}, {}},
      {0x16, "arm64_uboot", {}, {}},
      {0x17, "arm32_uboot_http", 0x15, {}},
      {0x18, "arm64_uboot_http", 0x16, {}},
      {0x19, "riscv32_uefi", {}, {"snponly-riscv32.efi", "ipxe-riscv32.efi"}},
      {0x1a, "riscv32_uefi_http", 0x19, {}},
      {0x1b, "riscv64_uefi", {}, {"snponly-riscv64.efi", "ipxe-riscv64.efi"}},
      {0x1c, "riscv64_uefi_http", 0x1b, {}},
      {0x1d, "riscv128_uefi", {}, {}},
      {0x1e, "riscv128_uefi_http", 0x1d, {}},
      {0x1f, "s390_basic", {}, {}},
      {0x20, "s390_extended", {}, {}},
      {0x21, "mips32_uefi", {}, {}},
      {0x22, "mips64_uefi", {}, {}},
      {0x23, "sunway32_uefi", {}, {}},
      {0x24, "sunway64_uefi", {}, {}},
      {0x25, "loong32_uefi", {}, {}},
      {0x26, "loong32_uefi_http", 0x25, {}},
      {0x27, "loong64_uefi", {}, {"snponly-loong64.efi", "ipxe-loong64.efi"}},
      {0x28, "loong64_uefi_http", 0x27, {}},
      {0x29, "raspberry_pi_rom", {}, {}},  // no file at all: its ROM wants a menu (decide.cc)
  };
  return rows;
}

}  // namespace

std::span<const Architecture> architectures() { return known_architectures(); }

const Architecture* architecture(std::uint16_t number) {
  const auto at = std::find_if(known_architectures().begin(), known_architectures().end(),
                               [number](const Architecture& row) { return row.number == number; });
  return at == known_architectures().end() ? nullptr : &*at;
}

std::vector<LoaderRow> default_loaders() {
  std::vector<LoaderRow> rows;
  for (const Architecture& row : known_architectures())
    if (!row.loaders.empty())
      rows.push_back({.arch = row.number, .names = {row.loaders.begin(), row.loaders.end()}});
  return rows;
}

}  // namespace farboot::dhcp
