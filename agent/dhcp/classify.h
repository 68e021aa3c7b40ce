// Who is asking: the first half of the decision. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/dhcp/decide.h"

namespace farboot::dhcp {

struct Client {
  ClientKind kind = ClientKind::bios;
  /// As the client lists them, HTTP boot's numbers turned into those of the same machine's PXE.
  std::vector<std::uint16_t> archs;
};

/// The client of a packet whose option 60 is PXEClient or HTTPClient.
Client classify(const Packet& request);

/// True for PXEClient and HTTPClient.
bool speaks_pxe(const Packet& request);

/// Option 97 as text: lower case, with dashes, in the order SMBIOS tools print. Empty: none.
std::string machine_uuid(const Packet& request);

/// True for the BIOS numbers, false for every kind of UEFI.
bool is_bios(std::uint16_t arch);

}  // namespace farboot::dhcp
