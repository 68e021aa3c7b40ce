// What one site should be: numbered, signed, level-triggered. An agent compares it with what it has
// and works towards it, so lost, doubled and reordered copies are harmless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/release.h"

namespace farboot {

inline constexpr std::size_t kDesiredStateBytesMax = 8u << 20;
inline constexpr std::size_t kHostsMax = 20'000;  ///< at one site
inline constexpr std::uint32_t kInstallsAtOnceMax = 100'000;

/// A machine the operator knows. At least one of macs, uuid, serial is set.
struct HostSpec {
  std::string name;               ///< is_name(); also the host name in templates
  std::vector<std::string> macs;  ///< lower case, colons
  std::string uuid;               ///< lower case, with dashes, SMBIOS order; or empty
  std::string serial;             ///< or empty
  std::string entry;              ///< boot entry it is assigned; empty: menu
  /// Grows by one each time the operator orders an install; an agent that holds a smaller number
  /// arms the host once. 0: never ordered.
  std::uint64_t install_order = 0;
  /// Orders up to this one are used up: an install of them may have touched the disk, by whichever
  /// agent of the site. What an agent that does not remember the machine starts from; it arms only
  /// for a larger install_order. None: the controller does not know (it is an older one): then a
  /// machine that is not remembered is armed by none of the orders given so far.
  std::optional<std::uint64_t> install_done;
  Variables variables;
  bool operator==(const HostSpec&) const = default;
};

struct SiteLimits {
  std::uint64_t wan_bytes_per_second = 0;  ///< 0: no limit
  std::uint32_t installs_at_once_max = 0;  ///< 0: the agent's own default
  bool operator==(const SiteLimits&) const = default;
};

struct DesiredState {
  static constexpr std::uint32_t kFormat = 1;  // on disk and on wire: never reuse a number

  std::string site;
  std::uint64_t number =
      0;  ///< grows with every change at this site; an agent refuses a smaller one
  WallTime issued{};
  std::optional<Digest> stage;  ///< release to hold, verified
  std::optional<Digest> serve;  ///< release to serve; staged first if it is not yet
  Variables variables;          ///< of the site
  std::vector<HostSpec> hosts;
  SiteLimits limits;
  /// Name, at the site, of the one agent that carries out the install orders; the others leave
  /// their machines to it. Empty (an older controller): every agent does.
  std::string orders_agent;
  bool operator==(const DesiredState&) const = default;
};

/// Deterministic: the same state gives the same bytes.
Bytes encode_desired_state(const DesiredState& state);
/// Checks format, sizes and names; no host name and no MAC twice. Errors: invalid, with the JSON
/// path of what is wrong (`$.hosts[3].macs[0]`).
Result<DesiredState> decode_desired_state(ByteView document);

/// `aa:bb:cc:dd:ee:ff` from that, dashes, dots (aabb.ccdd.eeff) or bare digits, any case. Errors:
/// invalid.
Result<std::string> normalise_mac(std::string_view text);

}  // namespace farboot
