// What one examination has seen, as plain values: on the wire, of ourselves, and how far the
// self-made machines came. Nothing here is judged yet.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dhcp/server.h"
#include "common/wire/address.h"

namespace farboot::doctor {

/// A machine the doctor plays.
enum class Client : std::uint8_t {
  plain,  ///< no PXE client: what an installer or an installed system asks
  bios,
  uefi_ia32,
  uefi_x64,
  uefi_arm64,
  http_x64,  ///< UEFI HTTP Boot
  ipxe
};
inline constexpr std::array<Client, 7> kClients{
    Client::plain,      Client::bios,     Client::uefi_ia32, Client::uefi_x64,
    Client::uefi_arm64, Client::http_x64, Client::ipxe};
/// `BIOS`, `UEFI x64`, …: for people.
std::string_view to_string(Client client);
/// Option 93 of its requests. Not for plain.
std::uint16_t architecture(Client client);
/// Has an architecture of its own, so that a loader is chosen for it.
bool is_firmware(Client client);

/// One DHCPOFFER as it came in. Texts are another machine's: hostile.
struct SeenOffer {
  Client asked = Client::plain;
  std::string interface;
  Ipv4 server;       ///< option 54, or the sender where that is missing
  Ipv4 address;      ///< yiaddr; zero: it gives none, a proxyDHCP server
  Ipv4 next_server;  ///< siaddr
  std::string boot_file;
  std::string class_id;         ///< option 60
  bool ipxe_waits_not = false;  ///< option 175 tells iPXE not to wait for a proxyDHCP server

  bool operator==(const SeenOffer&) const = default;
};

struct OwnInterface {
  std::string name;
  Ipv4 address;
};

/// A port of ours, asked from this machine at its address on the LAN.
struct PortCheck {
  std::string name;     ///< `TFTP, UDP port 69`
  std::string trouble;  ///< why nothing came back; empty: it answered
};

struct LoaderCheck {
  Client client = Client::bios;
  std::string file;     ///< what it is given; empty: nothing we hold
  bool wanted = false;  ///< the release has an image for machines of this kind
};

/// How far a self-made machine came.
struct Walk {
  Client client = Client::bios;
  std::string stopped;  ///< where and why; empty: it has its kernel
  std::string reached;  ///< what it was given on the way
};

struct Observations {
  DhcpMode mode = DhcpMode::proxy;
  bool script_for_ipxe = false;           ///< iPXE that asks for a loader by TFTP gets our script
  std::vector<OwnInterface> interfaces;   ///< those we answer on
  std::string dhcp_trouble;               ///< why 67 and 4011 are not open; empty: they are
  bool only_some_machines = false;        ///< dhcp_allow or dhcp_deny is set
  std::uint64_t release = 0;              ///< active; 0: none
  std::vector<std::string> loader_files;  ///< all that the release holds, by name
  std::string http_url;                   ///< `http://10.4.0.2`, as clients reach us

  std::string probe_trouble;  ///< why the LAN could not be looked at; empty: it was
  std::vector<SeenOffer> offers;
  std::vector<PortCheck> ports;
  std::vector<LoaderCheck> loaders;
  std::vector<Walk> walks;
};

}  // namespace farboot::doctor
