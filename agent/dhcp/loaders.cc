// Which file starts which machine: the table a new architecture is added to.
#include "agent/dhcp/policy.h"

namespace farboot::dhcp {

std::vector<LoaderRow> default_loaders() {
  const std::vector<std::string> x64 = {"snponly.efi", "snponly-x86_64.efi", "ipxe.efi",
                                        "ipxe-x86_64.efi"};
  return {
      {.arch = 0, .names = {"undionly.kpxe", "undionly.kkpxe", "ipxe.pxe"}},
      {.arch = 6, .names = {"snponly-i386.efi", "ipxe-i386.efi", "ipxe32.efi"}},
      {.arch = 7, .names = x64},
      {.arch = 9, .names = x64},  // "EBC" by RFC 4578's swapped numbers: x64 boards send it
      {.arch = 10, .names = {"snponly-arm32.efi", "ipxe-arm32.efi"}},
      {.arch = 11, .names = {"snponly-arm64.efi", "ipxe-arm64.efi"}},
      {.arch = 0x19, .names = {"snponly-riscv32.efi", "ipxe-riscv32.efi"}},
      {.arch = 0x1b, .names = {"snponly-riscv64.efi", "ipxe-riscv64.efi"}},
      {.arch = 0x27, .names = {"snponly-loong64.efi", "ipxe-loong64.efi"}},
  };
}

std::vector<LoaderRow> default_ipxe_upgrades() {
  std::vector<LoaderRow> rows = default_loaders();
  // Under a ROM that is iPXE already, native drivers do better than its UNDI (VirtualBox).
  rows.front().names = {"ipxe.pxe", "undionly.kpxe"};
  return rows;
}

}  // namespace farboot::dhcp
