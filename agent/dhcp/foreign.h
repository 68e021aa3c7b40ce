// Other servers of the network that tell PXE clients what to boot: seen in what they send to
// clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/net/interfaces.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
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

/// Those heard of lately, by server, what it does, and sender: two behind one relay are two.
/// Anybody may invent some, so there are two parts. Who was named once is a newcomer, and makes
/// room for others; who is heard of again is a regular while there is a place, and stays until it
/// is forgotten, however many come after it. On the loop.
class ForeignServers {
 public:
  static constexpr std::size_t kRegularsMax = 64;
  static constexpr std::size_t kNewcomersMax = 64;
  /// That a sender may name besides itself in either part: a relay may have a few servers behind
  /// it, and each may do several things.
  static constexpr std::size_t kOfSenderMax = 8;
  static constexpr std::size_t kTold = 3;     ///< sentences about servers, for the operator
  static constexpr Seconds kForgotten{3600};  ///< not heard of for so long
  static constexpr Seconds kAgain{1};         ///< repeats within it may be of one packet

  /// `sender`: where the packet came from, a relay perhaps. Whether a line in the log is due, once
  /// for a server and what it does: how many were left out before it. A flood of newcomers uses up
  /// their share of lines only: who is heard of again has another.
  std::optional<std::uint64_t> note(const ForeignServer& server, Ipv4 sender, SteadyTime now);
  /// What the operator should see to; not another agent. Regulars first, of each sender one before
  /// the next one of any, who is known longest first; then how many more there are.
  std::vector<std::string> troubles(SteadyTime now) const;
  std::size_t size() const { return seen_.size(); }

 private:
  struct Seen {
    ForeignServer server;
    Ipv4 sender;
    SteadyTime first, last;
    bool regular = false;
    bool told = false;  ///< in the log

    bool again() const { return last - first >= kAgain; }
    bool named_by(Ipv4 other) const { return sender == other && sender != server.address; }
    bool same_as(const ForeignServer& other) const {
      return server.address == other.address && server.kind == other.kind;
    }
  };

  enum class Part : std::uint8_t {
    newcomers,
    regulars
  };
  struct Count {
    std::size_t all = 0;
    std::size_t of_sender = 0;  ///< that it names besides itself
  };

  Seen& add(const ForeignServer& server, Ipv4 sender, SteadyTime now);
  Count count(Part part, Ipv4 sender) const;
  bool has_place_for(const Seen& regular) const;

  std::vector<Seen> seen_;  ///< by the time they were first heard of
  LogLimit newcomers_told_{20, Seconds(60)};
  LogLimit others_told_{20, Seconds(60)};
};

}  // namespace farboot::dhcp
