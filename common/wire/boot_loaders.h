// The architectures of option 93, which file starts each, and the words by which operators want
// another one: the variables `loader` and `uefi_reply`. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

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

/// `x64_uefi`, or its number. Errors: invalid.
Result<std::uint16_t> parse_arch(std::string_view text);

/// A file for machines of one architecture: on another it would hang.
struct ArchLoader {
  std::uint16_t arch = 0;
  std::string name;

  bool operator==(const ArchLoader&) const = default;
};

/// A file, or a family: `ipxe`, `grub` (not signed) or `shim` (signed, and its GRUB beside it), of
/// which each architecture has its own file. Without `arch` a file in `.efi` is for x64_uefi, any
/// other for bios. Errors: invalid.
Result<std::vector<ArchLoader>> parse_loader(std::string_view text,
                                             std::optional<std::uint16_t> arch);

inline constexpr std::size_t kLoaderWordsMax = 32;

/// Words as parse_loader() takes them, or `ARCH=` and one. Errors: invalid.
Result<std::vector<ArchLoader>> parse_loaders(std::string_view text);

/// True if one of the words is a family. Of words that parse_loaders() refuses: nothing is said.
bool names_loader_family(std::string_view text);

/// How UEFI firmware is led to its file. `binl`: no option 43, it asks again on port 4011.
/// `one_shot`: option 43 tells it to take the file of the offer.
enum class ReplyStyle : std::uint8_t {
  binl,
  one_shot
};

/// `binl` or `one_shot`. Errors: invalid.
Result<ReplyStyle> parse_reply_style(std::string_view text);

}  // namespace farboot::dhcp
