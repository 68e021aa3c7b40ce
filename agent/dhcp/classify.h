// Who is asking: the first half of the decision. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agent/dhcp/client.h"
#include "agent/dhcp/quirks.h"

namespace farboot::dhcp {

/// The client of a packet, whatever its option 60 says, as the first quirk that fits has it.
Client classify(const Packet& request, std::span<const Quirk> quirks = every_quirk());

/// The architectures it lists, in its order, each once: those we know, or the first if we know
/// none. No longer than our table, whatever the list is. HTTP boot's numbers are turned into those
/// of the same machine's PXE.
std::vector<std::uint16_t> listed_archs(const Packet& request);

/// As classify(), but taken for `arch`, one of listed_archs(): that one comes first.
Client classify_as(std::uint16_t arch, const Packet& request,
                   std::span<const Quirk> quirks = every_quirk());

/// True for PXEClient and HTTPClient.
bool speaks_pxe(const Packet& request);

/// Option 97 as text: lower case, with dashes, in the order SMBIOS tools print. Empty: none.
std::string machine_uuid(const Packet& request);

/// True for the BIOS numbers, false for every kind of UEFI.
bool is_bios(std::uint16_t arch);

}  // namespace farboot::dhcp
