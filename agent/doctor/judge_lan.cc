#include "agent/doctor/judge_lan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "common/base/bytes.h"

namespace farboot::doctor {
namespace {

constexpr std::size_t kTextShown = 100;  ///< of what another server wrote

std::string quoted(const std::string& text) { return "'" + printable(text, kTextShown) + "'"; }

bool is_ours(const Observations& seen, Ipv4 address) {
  return std::any_of(seen.interfaces.begin(), seen.interfaces.end(),
                     [&](const OwnInterface& own) { return own.address == address; });
}

bool is_lease(const SeenOffer& offer) { return !offer.address.is_zero(); }
bool is_pxe(const SeenOffer& offer) {
  return offer.class_id.starts_with("PXEClient") || offer.class_id.starts_with("HTTPClient");
}

std::string place_of(const SeenOffer& offer) {
  return fmt::format("{} on {}", offer.server.to_string(), printable(offer.interface, 20));
}

/// Of each server what it offers so, with all the kinds of machine that get such a one.
template <class Is>
Founds by_server(const Observations& seen, Is is, std::string (*what)(const SeenOffer&)) {
  std::map<std::string, std::map<Client, const SeenOffer*>> servers;
  for (const SeenOffer& offer : seen.offers)
    if (is(offer)) servers[place_of(offer)].emplace(offer.asked, &offer);
  Founds found;
  for (const auto& [place, offers] : servers) {
    std::vector<std::string_view> asked;
    for (const auto& [client, offer] : offers) asked.push_back(to_string(client));
    found.push_back({place, fmt::format("{} (asked as {})", what(*offers.begin()->second),
                                        fmt::join(asked, ", "))});
  }
  return found;
}

/// An iPXE of our own kind is sent to our kind of script: another agent of this LAN.
std::set<Ipv4> other_agents(const Observations& seen) {
  std::set<Ipv4> agents;
  for (const SeenOffer& offer : seen.offers) {
    const std::string url = "http://" + offer.server.to_string();
    if (!is_lease(offer) && offer.asked == Client::ipxe && offer.boot_file.starts_with(url) &&
        offer.boot_file.ends_with("/boot.ipxe") && !is_ours(seen, offer.server))
      agents.insert(offer.server);
  }
  return agents;
}

bool is_our_url(const Observations& seen, const std::string& file) {
  return !seen.http_url.empty() &&
         (file.starts_with(seen.http_url + "/") || file.starts_with(seen.http_url + ":"));
}

/// What a lease names does not lead to us.
bool leads_away(const Observations& seen, const SeenOffer& offer) {
  return is_lease(offer) && !offer.boot_file.empty() && !is_our_url(seen, offer.boot_file);
}

std::string class_text(const SeenOffer& offer) {
  return fmt::format(
      "its lease carries option 60 {}, so firmware asks {} for a boot file and nobody else",
      quoted(offer.class_id), offer.next_server.to_string());
}

std::string boot_file_text(const SeenOffer& offer) {
  return fmt::format("its lease names the boot file {} at {}", quoted(offer.boot_file),
                     offer.next_server.to_string());
}

std::set<std::pair<std::string, Ipv4>> lease_givers(const Observations& seen) {
  std::set<std::pair<std::string, Ipv4>> givers;
  for (const SeenOffer& offer : seen.offers)
    if (is_lease(offer)) givers.insert({offer.interface, offer.server});
  return givers;
}

std::string proxy_text(const SeenOffer& offer) {
  return fmt::format("answers PXE clients too, with {} at {}", quoted(offer.boot_file),
                     offer.next_server.to_string());
}

/// Neither ours nor of another agent of ours.
Founds strange_proxies(const Observations& seen) {
  const std::set<Ipv4> agents = other_agents(seen);
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return !is_lease(offer) && is_pxe(offer) && !is_ours(seen, offer.server) &&
               agents.count(offer.server) == 0;
      },
      proxy_text);
}

bool names_us(const Observations& seen, const SeenOffer& offer) {
  return is_lease(offer) && !offer.boot_file.empty() &&
         (is_our_url(seen, offer.boot_file) || is_ours(seen, offer.next_server));
}

}  // namespace

Founds no_dhcp(const Observations& seen) {
  if (!seen.probe_trouble.empty()) return {};
  Founds found;
  const auto givers = lease_givers(seen);
  for (const OwnInterface& own : seen.interfaces)
    if (std::none_of(givers.begin(), givers.end(),
                     [&](const auto& giver) { return giver.first == own.name; }))
      found.push_back({own.name, "no DHCP server gives addresses: no machine gets as far as us"});
  return found;
}

Founds several_dhcp(const Observations& seen) {
  std::map<std::string, std::vector<std::string>> servers;
  for (const auto& [interface, server] : lease_givers(seen))
    servers[interface].push_back(server.to_string());
  Founds found;
  for (const auto& [interface, all] : servers)
    if (all.size() > 1)
      found.push_back({printable(interface, 20), fmt::format("{} DHCP servers give addresses: {}",
                                                             all.size(), fmt::join(all, ", "))});
  return found;
}

Founds dhcp_servers(const Observations& seen) {
  Founds found;
  for (const auto& [interface, server] : lease_givers(seen))
    found.push_back(
        {fmt::format("{} on {}", server.to_string(), printable(interface, 20)), "gives addresses"});
  return found;
}

Founds pxe_class(const Observations& seen) {
  if (seen.mode != DhcpMode::proxy) return {};
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return is_lease(offer) && is_pxe(offer) && !is_ours(seen, offer.next_server);
      },
      class_text);
}

Founds pxe_class_ours(const Observations& seen) {
  if (seen.mode != DhcpMode::proxy) return {};
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return is_lease(offer) && is_pxe(offer) && is_ours(seen, offer.next_server);
      },
      class_text);
}

Founds boot_file(const Observations& seen) {
  if (seen.mode != DhcpMode::proxy) return {};
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return offer.asked == Client::ipxe && leads_away(seen, offer);
      },
      boot_file_text);
}

Founds boot_file_firmware(const Observations& seen) {
  if (seen.mode != DhcpMode::proxy) return {};
  const auto misleads_ipxe = [&](const SeenOffer& firmware) {
    return std::any_of(seen.offers.begin(), seen.offers.end(), [&](const SeenOffer& offer) {
      return offer.asked == Client::ipxe && offer.server == firmware.server &&
             leads_away(seen, offer);
    });
  };
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return is_firmware(offer.asked) && leads_away(seen, offer) && !misleads_ipxe(offer);
      },
      boot_file_text);
}

Founds ipxe_does_not_wait(const Observations& seen) {
  if (seen.mode != DhcpMode::proxy) return {};
  return by_server(
      seen, [](const SeenOffer& offer) { return is_lease(offer) && offer.ipxe_waits_not; },
      [](const SeenOffer&) {
        return std::string("its lease tells iPXE not to wait for us (option 175.176)");
      });
}

Founds next_server(const Observations& seen) {
  if (seen.mode != DhcpMode::proxy) return {};
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return is_lease(offer) && offer.boot_file.empty() && !offer.next_server.is_zero() &&
               !is_ours(seen, offer.next_server) && is_firmware(offer.asked);
      },
      [](const SeenOffer& offer) {
        return fmt::format(
            "its lease names {} as next server, as routers do; PXE firmware and "
            "iPXE take ours",
            offer.next_server.to_string());
      });
}

Founds other_pxe_server(const Observations& seen) {
  return seen.mode == DhcpMode::observe ? Founds() : strange_proxies(seen);
}

Founds observed_pxe_server(const Observations& seen) {
  return seen.mode == DhcpMode::observe ? strange_proxies(seen) : Founds();
}

Founds other_agent(const Observations& seen) {
  const std::set<Ipv4> agents = other_agents(seen);
  return by_server(
      seen,
      [&](const SeenOffer& offer) { return !is_lease(offer) && agents.count(offer.server) != 0; },
      [](const SeenOffer&) { return std::string("another agent of ours answers here"); });
}

/// Mode off: somebody has to send machines here.
Founds not_named(const Observations& seen) {
  if (seen.mode != DhcpMode::off || !seen.probe_trouble.empty()) return {};
  if (std::any_of(seen.offers.begin(), seen.offers.end(), [&](const SeenOffer& offer) {
        return is_firmware(offer.asked) && names_us(seen, offer);
      }))
    return {};
  return {{"", "dhcp_mode is off, and no DHCP server sends machines to us"}};
}

Founds named_elsewhere(const Observations& seen) {
  if (seen.mode != DhcpMode::off) return {};
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return is_lease(offer) && !offer.boot_file.empty() && !names_us(seen, offer);
      },
      boot_file_text);
}

/// Mode off: what the site's DHCP server names is not here.
Founds wrong_file(const Observations& seen) {
  if (seen.mode != DhcpMode::off) return {};
  const auto is_here = [&](const std::string& file) {
    const std::string name = file.substr(file.starts_with('/') ? 1 : 0);
    return is_our_url(seen, file) || name == "boot.ipxe" ||
           std::find(seen.loader_files.begin(), seen.loader_files.end(), name) !=
               seen.loader_files.end();
  };
  return by_server(
      seen,
      [&](const SeenOffer& offer) { return names_us(seen, offer) && !is_here(offer.boot_file); },
      [](const SeenOffer& offer) {
        return fmt::format("sends machines to us for {}, which the release does not hold",
                           quoted(offer.boot_file));
      });
}

/// Mode off: iPXE that is given a loader again loads it again, for ever, unless we know it by how
/// it asks.
Founds loader_again(const Observations& seen) {
  if (seen.mode != DhcpMode::off || seen.script_for_ipxe) return {};
  return by_server(
      seen,
      [&](const SeenOffer& offer) {
        return offer.asked == Client::ipxe && names_us(seen, offer) &&
               std::find(seen.loader_files.begin(), seen.loader_files.end(), offer.boot_file) !=
                   seen.loader_files.end();
      },
      [](const SeenOffer& offer) {
        return fmt::format("gives iPXE {} again, which a plain iPXE loads again and again",
                           quoted(offer.boot_file));
      });
}

}  // namespace farboot::doctor
