#include "agent/dhcp/ports.h"

#include <utility>

#include "agent/net/raw_socket.h"
#include "common/base/log.h"

namespace farboot::dhcp {
namespace {

constexpr Ipv4 kBootServers = Ipv4::of(224, 0, 1, 2);  ///< PXE 2.1 §2.2.5: on port 4011

}  // namespace

Result<void> Ports::open(PortNumbers wanted, Relays relays) {
  auto opened = open_all(wanted, relays);
  if (!opened) {
    listeners_.clear();
    relays_unheard_.reset();
    servers_unseen_.reset();
  }
  return opened;
}

Result<void> Ports::open_all(PortNumbers wanted, Relays relays) {
  // Two sockets on 0.0.0.0:67 both get broadcasts, but unicast goes to the one bound last only: we
  // would take the renewals of a DHCP server on this machine. So ask first whether there is one.
  const bool alone = wanted.dhcp == 0 || UdpSocket::open({.address = {}, .port = wanted.dhcp});
  if (auto heard = listen_to_broadcasts(wanted.dhcp); !heard) return heard;
  const std::uint16_t port = port_of(Listens::broadcasts);
  if (auto heard = listen_to_relays(port, relays, alone); !heard) return heard;
  // To see other servers is a help, no need.
  auto servers = listen_raw(wanted.client, Listens::clients);
  servers_unseen_ = servers ? std::nullopt : std::optional(servers.error());
  return listen({.address = {}, .port = wanted.pxe}, Listens::boot);
}

Result<void> Ports::listen(const UdpBinding& binding, Listens what) {
  auto socket = UdpSocket::open(binding);
  if (!socket) return socket.error();
  listeners_.push_back(
      std::make_shared<Listener>(loop_, std::make_unique<UdpSocket>(std::move(*socket)), what));
  return {};
}

Result<void> Ports::listen_raw(std::uint16_t port, Listens what) {
  auto raw =
      RawSocket::open(port, what == Listens::relayed ? RawHears::relayed : RawHears::broadcasts);
  if (!raw) return raw.error();
  listeners_.push_back(std::make_shared<Listener>(loop_, std::move(*raw), what));
  return {};
}

Result<void> Ports::listen_to_broadcasts(std::uint16_t port) {
  auto bound =
      listen({.address = Ipv4::broadcast(), .port = port, .reuse = true, .broadcast = true},
             Listens::broadcasts);
  if (bound || bound.error().code != Errc::conflict) return bound;
  // A DHCP server on this machine does not share its port: listen below it.
  auto raw = listen_raw(port, Listens::broadcasts);
  if (!raw) return prefix(bound.error().what, raw.error());
  return {};
}

Result<void> Ports::listen_to_relays(std::uint16_t port, Relays relays, bool alone) {
  relays_unheard_.reset();
  if (relays == Relays::off) return {};
  if (relays == Relays::by_itself && alone)
    return listen({.address = {}, .port = port, .reuse = true, .broadcast = true},
                  Listens::unicast);
  // Without the right to it we answer our own network at least.
  auto copy = listen_raw(port, Listens::relayed);
  if (copy) return {};
  // Anything but the missing right may pass: the caller tries again.
  if (relays == Relays::copy && copy.error().code != Errc::denied) return copy.error();
  if (relays == Relays::copy) relays_unheard_ = copy.error();
  return {};
}

void Ports::close() {
  for (const auto& listener : listeners_) listener->ready.close();
  listeners_.clear();
}

std::uint16_t Ports::port_of(Listens what) const {
  for (const auto& listener : listeners_)
    if (listener->listens == what) return listener->socket->port();
  return 0;
}

std::string_view Ports::relays() const {
  if (port_of(Listens::unicast) != 0) return "yes";
  return port_of(Listens::relayed) != 0 ? "copy" : "no";
}

void Ports::join_boot_servers(const Interface& interface) {
  for (const auto& listener : listeners_) {
    if (listener->listens != Listens::boot) continue;
    if (auto joined = join_group(listener->socket->fd(), kBootServers, interface.index); !joined)
      log::debug("dhcp.join_failed", log::kv("interface", interface.name),
                 log::kv("error", joined.error().what));
  }
}

}  // namespace farboot::dhcp
