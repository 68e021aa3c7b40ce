// Decides what, if anything, to tell a PXE client. Pure: no clock, socket or log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "agent/dhcp/client.h"
#include "agent/dhcp/policy.h"
#include "common/base/bytes.h"
#include "common/wire/address.h"
#include "common/wire/dhcp.h"

namespace farboot::dhcp {

inline constexpr std::uint16_t kClientPort = 68;

/// Which boot loaders this site can serve. Asked per packet: must be quick.
class LoaderSet {
 public:
  virtual ~LoaderSet() = default;
  /// `name` as a client would ask for it at the root of TFTP and HTTP: `snponly.efi`.
  virtual bool loader_exists(std::string_view name) const = 0;
};

/// Our offers to cut-down iPXEs name loaders in this folder, where they lie by TFTP too: beside it
/// iPXE that asks for iPXE may get the script, which these cannot run.
inline constexpr std::string_view kFullIpxeFolder = "full-ipxe/";

enum class Port : std::uint8_t {
  dhcp,  ///< 67
  pxe,   ///< 4011
};

/// Where a packet came in.
struct Arrival {
  Port port = Port::dhcp;
  Ipv4 our_address;  ///< ours on the interface it came in on, as the client can reach it
  Ipv4 source;
  std::uint16_t source_port = 0;
  bool to_everybody = true;  ///< a broadcast or multicast; else written to one address of ours
};

/// Why we say nothing. Silence is an answer: the site's own DHCP server carries on alone.
enum class Why : std::uint8_t {
  not_a_request,  ///< op 2: a server's packet
  not_pxe,        ///< option 60 is absent or something else: the rule for plain DHCP
  message_type,   ///< neither DISCOVER nor REQUEST
  not_ours,       ///< REQUEST on 67 selects a lease (or seeks a boot server), DISCOVER on 4011 is
                  ///< nothing
  reflected,      ///< giaddr cannot be a relay's address
  denied,         ///< the site's policy
  raspberry_pi,   ///< a Pi's boot ROM, and those are off
  unknown_arch,   ///< no such architecture
  no_loader,      ///< no file for its architecture exists, or none is here
  no_address,     ///< we have no address on that interface
  too_long,       ///< the answer does not fit what the client can take
  elsewhere,      ///< another agent of the site is to install it
  firmware,       ///< a quirk says so: it takes our answer for nothing good
  other_boot_server  ///< it chose an item of a menu that is not ours
};
inline constexpr std::size_t kWhys = static_cast<std::size_t>(Why::other_boot_server) + 1;
std::string_view to_string(Why why);

struct Silence {
  Why why = Why::not_pxe;
  std::string_view quirk = {};  ///< of its firmware; empty: none known
};

struct Reply {
  Bytes packet;
  Ipv4 to;  ///< 255.255.255.255: out of the interface the request came in on
  std::uint16_t to_port = 68;
  ClientKind kind = ClientKind::bios;
  MessageType type = MessageType::offer;
  ReplyStyle style = ReplyStyle::binl;  ///< says something for UEFI only
  std::string boot_file;
  std::string_view quirk;  ///< of its firmware; empty: none known
};

using Decision = std::variant<Silence, Reply>;

/// What this packet is answered with. Depends on nothing but the arguments: no memory of machines,
/// for reboots, retries and second network cards break any such memory.
Decision decide(const Packet& request, const Arrival& arrival, const Policy& policy,
                const LoaderSet& loaders);

}  // namespace farboot::dhcp
