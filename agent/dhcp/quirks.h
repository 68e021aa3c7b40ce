// Firmware that wants something else than its kind does: a table, one row each. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "agent/dhcp/client.h"

namespace farboot::dhcp {

/// A row without an effect only puts its name into the log: what docs/dhcp.md says of it helps.
struct Quirk {
  std::string_view name;  ///< in logs and in docs/dhcp.md
  ClientMatch who;
  bool left_alone = false;                ///< it gets no answer
  std::optional<ClientKind> kind;         ///< what it is in truth
  std::optional<std::uint16_t> arch;      ///< the architecture it means by the one it says
  std::vector<std::string_view> loaders;  ///< these come before those of its architecture
  std::string_view menu_text;             ///< option 43 must show this text
};

/// Every one known; of several that fit the first counts.
std::span<const Quirk> every_quirk();

/// nullptr: none fits.
const Quirk* quirk_of(const Packet& request, const Client& client, std::span<const Quirk> quirks);

}  // namespace farboot::dhcp
