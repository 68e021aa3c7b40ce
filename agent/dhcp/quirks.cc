#include "agent/dhcp/quirks.h"

#include <algorithm>

#include "agent/dhcp/loaders.h"

namespace farboot::dhcp {
namespace {

constexpr std::string_view kIntelRom = "UNDI:002001";  ///< what the ROMs of Pis say they are

const std::vector<Bytes>& vmware() {
  static const std::vector<Bytes> beginnings = {
      {0x00, 0x50, 0x56}, {0x00, 0x0c, 0x29}, {0x00, 0x05, 0x69}};
  return beginnings;
}

const std::vector<Quirk>& known_quirks() {
  static const std::vector<Quirk> rows = {
      // The ROMs of Raspberry Pis say that they are BIOS machines. They want a text in a menu, and
      // no file. A Pi with UEFI firmware (architecture 11) is a client as any other. Nobody else
      // says 0x29, so it counts wherever in the list it stands: beside 0, that one is the old lie.
      {.name = "pi_arch41",
       .who = {.arch_listed = 0x29},
       .kind = ClientKind::raspberry_pi,
       .menu_text = "Raspberry Pi Boot"},
      // Pi 4 and 5, on whatever card: `RPi4`, board revision, the MAC's tail, serial number.
      {.name = "pi4_rom",
       .who = {.arch = 0, .kind = ClientKind::bios, .guid_begins = "RPi"},
       .kind = ClientKind::raspberry_pi,
       .menu_text = "Raspberry Pi Boot"},
      // The Pi 3's ROM compares the text with its three blanks at the end. It never sends a
      // REQUEST, and says one hop where there is none.
      {.name = "pi3_rom",
       .who = {.macs = {{0xb8, 0x27, 0xeb}},
               .arch = 0,
               .kind = ClientKind::bios,
               .class_ends = std::string(kIntelRom)},
       .kind = ClientKind::raspberry_pi,
       .menu_text = "Raspberry Pi Boot   "},
      // Later Pis whose GUID is not filled in.
      {.name = "pi_rom",
       .who = {.macs = {{0xdc, 0xa6, 0x32},
                        {0xe4, 0x5f, 0x01},
                        {0x28, 0xcd, 0xc1},
                        {0xd8, 0x3a, 0xdd},
                        {0x2c, 0xcf, 0x67}},
               .arch = 0,
               .kind = ClientKind::bios,
               .class_ends = std::string(kIntelRom)},
       .kind = ClientKind::raspberry_pi,
       .menu_text = "Raspberry Pi Boot"},
      // RFC 4578 swapped 7 and 9: x64 boards that follow it say "EBC".
      {.name = "x64_as_ebc", .who = {.arch = 9}, .arch = 7},
      // iPXE's own e1000 driver hangs on Workstation 16 (ipxe#624, #664).
      {.name = "vmware_uefi",
       .who = {.macs = vmware(), .arch = 7, .kind = ClientKind::uefi},
       .loaders = {"snponly.efi", "snponly-x86_64.efi"}},
      // Secure Boot is on unless it was switched off: an unsigned loader is fetched and refused.
      {.name = "hyperv_gen2",
       .who = {.macs = {{0x00, 0x15, 0x5d}}, .arch = 7, .kind = ClientKind::uefi}},
      // A cut-down iPXE over whose UNDI undionly is flaky: native drivers.
      {.name = "virtualbox_rom",
       .who = {.macs = {{0x08, 0x00, 0x27}}, .arch = 0, .kind = ClientKind::ipxe_limited},
       .loaders = {"ipxe.pxe"}},
      // Mellanox' FlexBoot is an iPXE that says so in option 175 only.
      {.name = "flexboot", .who = {.kind = ClientKind::ipxe, .without_user_class = true}},
      // Macs speak BSDP, which looks like DHCP and is none.
      {.name = "mac_bsdp", .who = {.class_begins = "AAPLBSDPC"}, .left_alone = true},
      // U-Boot's own DHCP takes the boot file of the lease, and knows no proxy.
      {.name = "uboot_class", .who = {.class_begins = "U-Boot"}, .left_alone = true},
  };
  return rows;
}

}  // namespace

std::span<const Quirk> every_quirk() { return known_quirks(); }

const Quirk* quirk_of(const Packet& request, const Client& client, std::span<const Quirk> quirks) {
  const auto at = std::find_if(quirks.begin(), quirks.end(),
                               [&](const Quirk& quirk) { return quirk.who.fits(request, client); });
  return at == quirks.end() ? nullptr : &*at;
}

}  // namespace farboot::dhcp
