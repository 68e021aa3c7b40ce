// A site as the operator wants it: what a fleet directory says of it, checked.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/content/desired_state.h"

namespace farboot {

inline constexpr std::size_t kSitesMax = 10'000;
inline constexpr std::size_t kHostsPerSiteMax = 10'000;
inline constexpr std::size_t kMacsPerHostMax = 32;
inline constexpr std::size_t kVariablesMax = 1'000;
inline constexpr std::size_t kVariableNameBytesMax = 128;
inline constexpr std::size_t kVariableBytesMax = 64 * 1024;

struct HostWish {
  HostSpec host;         ///< its install_order is not looked at
  bool install = false;  ///< order the first install, unless this machine ever had one ordered
};

struct SiteWish {
  std::string name;
  Variables labels;
  Variables variables;
  SiteLimits limits;
  std::vector<HostWish> hosts;
};

struct Site {
  std::string name;
  Variables labels;
  Variables variables;
  SiteLimits limits;
  std::vector<HostSpec> hosts;  ///< sorted by name
  /// Installs ordered so far for every name, MAC, UUID and serial this site ever had. A host's own
  /// count goes by its name; a machine that is renamed, or removed and put back, is known by any of
  /// them, so that `install: true` does not install it anew by surprise.
  std::map<std::string, std::uint64_t> orders;
  /// By host name: orders up to this one are used up (HostSpec::install_done). Kept for names that
  /// are gone, as the orders are. Not there: not known, the host was ordered by an older version.
  std::map<std::string, std::uint64_t> done;
  /// By host name: number of the desired state that its newest order was given in. Not there: it
  /// was given by an older version.
  std::map<std::string, std::uint64_t> ordered_in;
  std::uint64_t revision = 0;  ///< of the record in the store; 0: not stored yet

  const HostSpec* host(std::string_view name) const;
  bool operator==(const Site&) const = default;
};

/// Names, MACs, UUIDs; sizes; no MAC, UUID, serial or name twice at the site. Puts hosts in name
/// order, MACs and UUIDs in their normal form. Errors: invalid, naming the host.
Result<void> normalise_site(SiteWish& wish);
/// The rules of one host alone.
Result<void> normalise_host(HostSpec& host);
Result<void> check_variables(std::string_view what, const Variables& variables);

/// The site that `wish` makes of `before` (which may be empty, of the same name).
Site merge_site(const Site& before, const SiteWish& wish);
/// Remembers the orders of the site's hosts in `orders`.
void remember_orders(Site& site);
/// What is known of each name's orders: the largest counts. Names that were never at this site are
/// left out. False if nothing is new.
bool use_up_orders(Site& site, const std::map<std::string, std::uint64_t>& used);

std::string encode_site(const Site& site);
Result<Site> decode_site(std::string_view name, std::string_view record);

}  // namespace farboot
