// Asks the LAN, as each kind of machine would, who gives addresses and who boots machines.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "agent/doctor/observe.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/wire/dhcp.h"

namespace farboot::doctor {

struct LanProbe {
  std::vector<OwnInterface> interfaces;  ///< at most kProbedMax of them are asked
  std::uint16_t server_port = 67;
  std::uint16_t client_port = 68;
  Milliseconds wait{4'000};
  /// Ends it early; empty: never. Who answers late is missed then.
  std::function<bool(const std::vector<SeenOffer>&)> enough;
};
inline constexpr std::size_t kProbedMax = 16;
inline constexpr std::size_t kOffersMax = 256;  ///< more are dropped

/// Broadcasts a DISCOVER of every kind, twice, below whoever holds port 68, and collects what is
/// offered: each offer once. No lease is taken. Blocks for `wait`. Errors: denied (no CAP_NET_RAW),
/// unavailable, cancelled.
Result<std::vector<SeenOffer>> probe_lan(const LanProbe& probe, const std::stop_token& stop);

/// An offer as it is judged; `sender` where it does not say whose it is.
SeenOffer seen_offer(const dhcp::Packet& packet, Client asked, std::string interface, Ipv4 sender);

}  // namespace farboot::doctor
