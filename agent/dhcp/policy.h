// What a site's operator decides about PXE clients: whom we answer, and how. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dhcp/loaders.h"
#include "agent/dhcp/quirks.h"
#include "agent/dhcp/rules.h"
#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/wire/address.h"

namespace farboot::dhcp {

/// `10.4.0.0/16`.
struct Network {
  Ipv4 address;
  unsigned prefix_bits = 32;

  bool holds(Ipv4 other) const { return address.same_network(other, prefix_bits); }
};

/// Who asks, as far as lists of machines go.
struct Asker {
  Mac mac;
  Ipv4 network;      ///< an address of the network it is on
  std::string uuid;  ///< lower case, with dashes; empty: unknown
};

/// Machines as an operator names them.
class ClientList {
 public:
  /// A MAC or its first octets, a network, or a machine's UUID. Errors: invalid.
  Result<void> add(std::string_view text);
  bool empty() const { return macs_.empty() && networks_.empty() && uuids_.empty(); }
  bool holds(const Asker& asker) const;

 private:
  std::vector<Bytes> macs_;
  std::vector<Network> networks_;
  std::vector<std::string> uuids_;
};

struct Policy {
  std::vector<LoaderRow> loaders = default_loaders();
  std::span<const Quirk> quirks = every_quirk();  ///< borrowed
  ClientList denied;                              ///< these get no answer
  ClientList allowed;  ///< only these get one, but for the denied; empty: all
  /// Machines that another agent of the site is to answer, by MAC and UUID (lower case, with
  /// dashes; empty: unknown). Empty: none. Asked per packet: must be quick.
  std::function<bool(const Mac&, const std::string& uuid)> elsewhere;
  std::vector<ClientRule> rules;  ///< all that fit count, the first the most
  /// What the fleet wants for a machine, by MAC and UUID. Empty: nothing. Asked per packet.
  std::function<ClientWish(const Mac&, const std::string& uuid)> wish;
  ReplyStyle uefi_style = ReplyStyle::binl;
  bool raspberry_pi_roms = false;  ///< false: agents are Pis, and must not netboot each other
  std::string script_path = "/boot.ipxe";
  std::uint16_t http_port = 80;

  /// By the two lists: the denied come first.
  bool answers(const Asker& asker) const;
};

}  // namespace farboot::dhcp
