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

/// Those heard of lately. A few, and anybody may invent some: who is heard of again stays longer
/// than who was named once, and one sender cannot name many.
class ForeignServers {
 public:
  static constexpr std::size_t kMax = 64;
  static constexpr std::size_t kMaxOfSender = 2;  ///< that it may name besides itself
  static constexpr std::size_t kTold = 3;         ///< sentences for the operator at once
  static constexpr Seconds kForgotten{3600};      ///< not heard of for so long
  static constexpr Seconds kAgain{1};             ///< repeats within it may be of one packet

  /// `sender`: where the packet came from, a relay perhaps. True if the server is worth a line in
  /// the log: news, and not from a sender that names ever new ones.
  bool note(const ForeignServer& server, Ipv4 sender, SteadyTime now);
  /// What the operator should see to; not another agent. First who was heard of again.
  std::vector<std::string> troubles(SteadyTime now) const;

 private:
  struct Seen {
    ForeignServer server;
    Ipv4 sender;
    SteadyTime first, last;

    bool again() const { return last - first >= kAgain; }
    bool of_another() const { return sender != server.address; }
  };
  std::vector<Seen> seen_;
};

}  // namespace farboot::dhcp
