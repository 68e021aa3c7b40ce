// The architectures of option 93, and which file starts each: the table a new one is added to.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace farboot::dhcp {

/// As IANA lists them (RFC 4578, processor architecture types).
struct Architecture {
  std::uint16_t number = 0;
  std::string_view name;  ///< a word for logs: `x64_uefi`
  /// HTTP boot has numbers of its own: that of the same machine when it boots by PXE.
  std::optional<std::uint16_t> pxe;
  /// The first of these that exists is served. None: there is no loader for it anywhere, and a
  /// machine of another kind hangs with the wrong one.
  std::vector<std::string_view> loaders;
};

/// Every one there is, by number.
std::span<const Architecture> architectures();
/// nullptr: no such number.
const Architecture* architecture(std::uint16_t number);

/// Loaders for one architecture; the first name that exists is served.
struct LoaderRow {
  std::uint16_t arch = 0;
  std::vector<std::string> names;
};
std::vector<LoaderRow> default_loaders();

}  // namespace farboot::dhcp
