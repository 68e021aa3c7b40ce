// A PXE client as its packet shows it, and how kinds of clients are told apart. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/wire/dhcp.h"

namespace farboot::dhcp {

enum class ClientKind : std::uint8_t {
  bios,
  uefi,
  http_boot,
  ipxe,          ///< gets the script
  ipxe_limited,  ///< gets a full iPXE first
  raspberry_pi
};
std::string_view to_string(ClientKind kind);

struct Quirk;

struct Client {
  ClientKind kind = ClientKind::bios;
  /// What it is taken for comes first. Then as listed_archs(); by classify() what nothing starts is
  /// behind the rest.
  std::vector<std::uint16_t> archs;
  const Quirk* quirk = nullptr;  ///< of its firmware; nullptr: none known
};

/// True if who writes `arch` speaks of this client's `own`, one of its archs. The number of an
/// HTTP boot is for clients that boot so, that of PXE for both.
bool means(std::uint16_t arch, const Client& client, std::uint16_t own);

/// Some clients among all: whom every member that is set fits. Nothing set: everybody.
struct ClientMatch {
  std::vector<Bytes> macs;                   ///< begins with one of these
  std::optional<std::uint16_t> arch;         ///< what it is taken for, see means()
  std::optional<std::uint16_t> arch_listed;  ///< among those it lists
  std::optional<ClientKind> kind;
  std::string class_begins;  ///< option 60
  std::string class_ends;
  std::string guid_begins;  ///< option 97, behind its type
  bool without_user_class = false;

  bool fits(const Packet& request, const Client& client) const;
};

/// `52:54:00:ab:cd:ef`, or the first octets of one; also with dashes; any case. nullopt: it is
/// none.
std::optional<Bytes> mac_beginning(std::string_view text);
bool begins_with(const Mac& mac, const Bytes& beginning);

}  // namespace farboot::dhcp
