// Ready lines for the site's own DHCP server, for dhcp_mode = "off": it sends machines to us. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dhcp/decide.h"
#include "common/base/result.h"
#include "common/wire/address.h"

namespace farboot::doctor {

/// What stands in the lines. A loader that is empty leaves its machines out.
struct SnippetFacts {
  Ipv4 address;  ///< ours on the LAN
  std::uint16_t http_port = 80;
  std::string script_path = "/boot.ipxe";
  std::string bios;        ///< architecture 0
  std::string uefi_ia32;   ///< 6
  std::string uefi_x64;    ///< 7, 9
  std::string uefi_arm64;  ///< 11
  std::string http_x64;    ///< 16
  std::string http_arm64;  ///< 19
};

/// The loaders that proxyDHCP would choose for a machine nobody named: by the fleet's and the
/// site's `loader` and by rules for its kind. `loaders` nullptr: as if every file were there. Calls
/// `policy.wish`.
SnippetFacts snippet_facts(Ipv4 address, const dhcp::Policy& policy,
                           const dhcp::LoaderSet* loaders);

/// dnsmasq, isc, kea, openwrt, cisco, h3c
const std::vector<std::string_view>& snippet_kinds();
/// A loader's name that could mean something else there is left out, and a comment says for which
/// machines. Errors: not_found, naming the kinds there are.
Result<std::string> snippet(std::string_view kind, const SnippetFacts& facts);

}  // namespace farboot::doctor
