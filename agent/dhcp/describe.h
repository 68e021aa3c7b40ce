// What a client says of itself, for logs. Pure.
#pragma once

#include <string>

#include "common/wire/dhcp.h"

namespace farboot::dhcp {

/// The architectures it lists, a few at most, with their names: `1/pc98,7/x64_uefi`; `99` has none;
/// `none`.
std::string arch_text(const Packet& request);

/// Option 94, the network driver interface: `3.16`; `none`.
std::string undi_text(const Packet& request);
/// The version an iPXE says it has: `1.21.1`; `none`. Escaped: anybody may say anything.
std::string ipxe_text(const Packet& request);

}  // namespace farboot::dhcp
