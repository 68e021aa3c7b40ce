// The sockets of the DHCP server: which ports it hears, beside whom.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/dhcp/relays.h"
#include "agent/net/interfaces.h"
#include "agent/net/readiness.h"
#include "agent/net/udp_socket.h"

namespace farboot::dhcp {

/// What a socket listens to.
enum class Listens : std::uint8_t {
  broadcasts,  ///< 255.255.255.255:67: takes no unicast from a DHCP server on this machine
  unicast,     ///< 0.0.0.0:67: relays; open only where no other server is
  relayed,     ///< a copy of what relays send to whoever holds port 67 on this machine
  boot,        ///< 0.0.0.0:4011
  clients      ///< a copy of what servers broadcast to clients
};

struct Listener {
  Listener(Loop& loop, std::unique_ptr<DatagramSocket> made, Listens what)
      : socket(std::move(made)), ready(loop, socket->fd()), listens(what) {}
  std::unique_ptr<DatagramSocket> socket;
  Readiness ready;
  Listens listens;
};

struct PortNumbers {
  std::uint16_t dhcp = 67;
  std::uint16_t client = 68;
  std::uint16_t pxe = 4011;
};

class Ports {
 public:
  explicit Ports(Loop& loop) : loop_(loop) {}

  /// All or none. 0 means any. Errors: denied, conflict, unavailable.
  Result<void> open(PortNumbers wanted, Relays relays);
  /// Those who wait at a listener are told; who holds it may finish.
  void close();

  const std::vector<std::shared_ptr<Listener>>& all() const { return listeners_; }
  bool is_open() const { return !listeners_.empty(); }
  /// 0: not open.
  std::uint16_t port_of(Listens what) const;
  /// Of what is wanted and is not heard, why: listening below others takes a right (CAP_NET_RAW).
  /// Set by open(), which does without.
  const std::optional<Error>& relays_unheard() const { return relays_unheard_; }
  const std::optional<Error>& servers_unseen() const { return servers_unseen_; }
  /// How relays are heard, for the log: `yes`, `copy` or `no`.
  std::string_view relays() const;
  /// Clients that look for boot servers may ask a group instead of everybody: heard there too.
  void join_boot_servers(const Interface& interface);

 private:
  Result<void> open_all(PortNumbers wanted, Relays relays);
  Result<void> listen(const UdpBinding& binding, Listens what);
  Result<void> listen_to_broadcasts(std::uint16_t port);
  Result<void> listen_to_relays(std::uint16_t port, Relays relays, bool alone);
  Result<void> listen_raw(std::uint16_t port, Listens what);

  Loop& loop_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::optional<Error> relays_unheard_, servers_unseen_;
};

}  // namespace farboot::dhcp
