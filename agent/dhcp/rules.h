// What operators want for some machines: rules of this agent, wishes of the fleet. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dhcp/client.h"
#include "common/base/result.h"
#include "common/wire/boot_loaders.h"

namespace farboot::dhcp {

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
/// get, `loader=ipxe.efi` or `loader=shim`, `binl`, `one_shot`, `raspberry_pi_rom`. At least one of
/// each. Errors: invalid.
Result<ClientRule> parse_client_rule(std::string_view text);

}  // namespace farboot::dhcp
