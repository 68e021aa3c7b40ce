// What a client says of itself, for logs. Pure.
#pragma once

#include <string>

#include "common/wire/dhcp.h"

namespace farboot::dhcp {

/// The first architecture it lists, with its name: `1/pc98`; `99` has none; `none`.
std::string arch_text(const Packet& request);

}  // namespace farboot::dhcp
