// How packets of DHCP relays are heard.
#pragma once

#include <cstdint>

namespace farboot::dhcp {

/// Whether relays are heard. `by_itself`: from the port if nobody else has it, else by a copy.
/// `copy`: always so, as another server may want the port later.
enum class Relays : std::uint8_t {
  by_itself,
  copy,
  off
};

}  // namespace farboot::dhcp
