#include "agent/doctor/observe.h"

namespace farboot::doctor {

std::string_view to_string(Client client) {
  switch (client) {
    case Client::plain: return "plain DHCP";
    case Client::bios: return "BIOS";
    case Client::uefi_ia32: return "UEFI 32-bit";
    case Client::uefi_x64: return "UEFI x64";
    case Client::uefi_arm64: return "UEFI arm64";
    case Client::http_x64: return "UEFI x64 HTTP Boot";
    case Client::ipxe: return "iPXE";
  }
  return "?";
}

std::uint16_t architecture(Client client) {
  switch (client) {
    case Client::plain:
    case Client::bios:
    case Client::ipxe: return 0;
    case Client::uefi_ia32: return 6;
    case Client::uefi_x64: return 7;
    case Client::uefi_arm64: return 11;
    case Client::http_x64: return 16;
  }
  return 0;
}

bool is_firmware(Client client) { return client != Client::plain && client != Client::ipxe; }

}  // namespace farboot::doctor
