// The machines the doctor plays: the DHCP packets they send. Pure.
#pragma once

#include <cstdint>

#include "agent/doctor/observe.h"
#include "common/wire/dhcp.h"

namespace farboot::doctor {

/// `02:fb:` and an address of ours: locally administered, and no two agents of a LAN play the same
/// machine.
Mac made_up_mac(Ipv4 own);

struct Played {
  Client client = Client::bios;
  Mac mac;
  /// Option 93, where it is not the client's own: iPXE runs on every architecture.
  std::uint16_t arch = 0;
};
Played played(Client client, Mac mac);

/// A broadcast DISCOVER as this machine sends it to port 67.
dhcp::Packet discover(const Played& machine, std::uint32_t xid);
/// What it asks a boot server on port 4011, having taken the lease `own`.
dhcp::Packet boot_request(const Played& machine, std::uint32_t xid, Ipv4 own);

}  // namespace farboot::doctor
