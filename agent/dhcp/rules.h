// What operators want for some machines: rules of this agent, wishes of the fleet. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dhcp/client.h"
#include "common/base/result.h"

namespace farboot::dhcp {

/// How UEFI firmware is led to its file. `binl`: no option 43, it asks again on port 4011.
/// `one_shot`: option 43 tells it to take the file of the offer.
enum class ReplyStyle : std::uint8_t {
  binl,
  one_shot
};

/// A file for machines of one architecture: on another it would hang.
struct ArchLoader {
  std::uint16_t arch = 0;
  std::string name;

  bool operator==(const ArchLoader&) const = default;
};

struct Choice {
  std::vector<ArchLoader> loaders;  ///< the first that exists is served
  std::optional<ReplyStyle> uefi_style;
  bool raspberry_pi_rom = false;  ///< answer it, if it is one
};

struct ClientRule {
  ClientMatch who;
  Choice what;
};

/// What the fleet wants for one machine: a word about this very host counts more than a rule of the
/// agent or a quirk of its firmware, one about all machines of its site counts less.
struct ClientWish {
  Choice host;
  Choice site;
};

/// Words: whom it is for, `52:54:00`, `arch=x64_uefi`, `class=PXEClient:Arch:00007`; and what they
/// get, `loader=ipxe.efi`, `binl`, `one_shot`, `raspberry_pi_rom`. At least one of each. Errors:
/// invalid.
Result<ClientRule> parse_client_rule(std::string_view text);

/// Words `FILE` or `ARCH=FILE`. Without an architecture a name in `.efi` is for x64_uefi, any other
/// for bios. Errors: invalid.
Result<std::vector<ArchLoader>> parse_loaders(std::string_view text);

/// `binl` or `one_shot`. Errors: invalid.
Result<ReplyStyle> parse_reply_style(std::string_view text);

}  // namespace farboot::dhcp
