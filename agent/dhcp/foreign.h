// Other servers of the network that tell PXE clients what to boot: seen in what they send to
// clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/net/interfaces.h"
#include "common/base/clock.h"
#include "common/wire/dhcp.h"

namespace farboot::dhcp {

enum class ForeignKind : std::uint8_t {
  agent,         ///< a proxy that answers as we do: another agent of the site
  proxy,         ///< another PXE server: clients take either
  lease_is_pxe,  ///< leases that say PXEClient: clients ask that server, and never us
  stops_ipxe,    ///< leases that tell iPXE to wait for no proxy
  names_a_file,  ///< leases with a boot file: iPXE takes that one
};
std::string_view to_string(ForeignKind kind);

struct ForeignServer {
  Ipv4 address;
  ForeignKind kind = ForeignKind::proxy;
  std::string file;  ///< what it names, printable; may be empty

  /// One sentence for the operator: what it does, and what helps.
  std::string advice() const;
};

/// What a packet to a client tells of its sender. nullopt: nothing, or we sent it. Pure.
std::optional<ForeignServer> foreign_server(const Packet& packet, const InterfaceTable& ours);

/// Those heard of lately. A few: whoever floods invented ones hides others, and costs no memory.
class ForeignServers {
 public:
  static constexpr std::size_t kMax = 16;
  static constexpr std::size_t kTold = 3;     ///< sentences for the operator at once
  static constexpr Seconds kForgotten{3600};  ///< not heard of for so long

  /// True if it is news.
  bool note(const ForeignServer& server, SteadyTime now);
  /// What the operator should see to; not another agent.
  std::vector<std::string> troubles(SteadyTime now) const;

 private:
  struct Seen {
    ForeignServer server;
    SteadyTime last;
  };
  std::vector<Seen> seen_;
};

}  // namespace farboot::dhcp
