// The machine's network interfaces with their IPv4 addresses, as one picture of a moment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/wire/address.h"

namespace farboot {

struct InterfaceAddress {
  Ipv4 address;
  unsigned prefix_bits = 32;

  bool operator==(const InterfaceAddress&) const = default;
};

struct Interface {
  int index = 0;
  std::string name;
  bool loopback = false;
  bool up = false;
  unsigned mtu = 1500;
  std::vector<InterfaceAddress> addresses;  ///< the primary one first; may be empty

  /// The address a machine at `hint` would reach us by: the one in its network, else the primary
  /// one. nullopt: the interface has none.
  std::optional<Ipv4> address_for(Ipv4 hint) const;
  /// True if `other` lies in one of its networks: a machine on this very wire.
  bool reaches(Ipv4 other) const;
  bool operator==(const Interface&) const = default;
};

class InterfaceTable {
 public:
  InterfaceTable() = default;
  explicit InterfaceTable(std::vector<Interface> interfaces);

  const std::vector<Interface>& all() const { return interfaces_; }
  const Interface* find(int index) const;
  const Interface* find(std::string_view name) const;
  /// True if `address` is one of ours, on whatever interface.
  bool holds(Ipv4 address) const;
  bool operator==(const InterfaceTable&) const = default;

 private:
  std::vector<Interface> interfaces_;
};

/// Asks the kernel. Errors: unavailable.
Result<InterfaceTable> scan_interfaces();

/// A socket that becomes readable whenever a link or an IPv4 address changes. Errors: unavailable.
Result<UniqueFd> open_interface_watch();
/// Reads away what the watch has to say; then scan again.
void drain_interface_watch(const UniqueFd& watch);

}  // namespace farboot
