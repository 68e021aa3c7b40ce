#include "agent/doctor/machine.h"

#include <algorithm>

#include <fmt/format.h>

namespace farboot::doctor {
namespace {

namespace code = dhcp::code;

constexpr std::uint16_t kBroadcastFlag = 0x8000;
constexpr std::size_t kGuidBytes = 17;

Bytes big_endian(std::uint16_t value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xff)};
}

/// Servers send what is asked for: all that could lead a machine elsewhere.
Bytes wanted_options() { return {1, 3, 6, 12, 15, 28, 43, 54, 60, 66, 67, 97, 175}; }

/// One that runs our scripts: HTTP, menus, kernels of its platform.
Bytes full_ipxe() {
  using namespace dhcp::ipxe;
  Bytes value;
  for (const std::uint8_t feature : {kHttp, kBzImage, kEfi, kMenu})
    value.insert(value.end(), {feature, 1, 1});
  value.insert(value.end(), {kVersion, 3, 1, 21, 1});
  return value;
}

std::string class_id(const Played& machine) {
  return fmt::format("{}:Arch:{:05}:UNDI:003016",
                     machine.client == Client::http_x64 ? "HTTPClient" : "PXEClient", machine.arch);
}

dhcp::Packet packet_of(const Played& machine, dhcp::MessageType type, std::uint32_t xid) {
  dhcp::Packet packet;
  packet.xid = xid;
  std::copy(machine.mac.octets.begin(), machine.mac.octets.end(), packet.chaddr.begin());
  packet.options = {{.code = code::kMessageType, .value = {static_cast<std::uint8_t>(type)}},
                    {.code = code::kParameterList, .value = wanted_options()},
                    {.code = code::kMaxMessageSize, .value = big_endian(dhcp::kDatagramBytesMax)}};
  if (machine.client == Client::plain) return packet;
  Bytes guid(kGuidBytes, 0);
  std::copy(machine.mac.octets.begin(), machine.mac.octets.end(), guid.begin() + 1);
  packet.options.push_back({.code = code::kMachineGuid, .value = std::move(guid)});
  packet.options.push_back({.code = code::kArchitecture, .value = big_endian(machine.arch)});
  packet.options.push_back({.code = code::kUndiVersion, .value = {1, 3, 16}});
  packet.options.push_back({.code = code::kClassId, .value = to_bytes(class_id(machine))});
  if (machine.client != Client::ipxe) return packet;
  packet.options.push_back({.code = code::kUserClass, .value = to_bytes("iPXE")});
  packet.options.push_back({.code = code::kIpxe, .value = full_ipxe()});
  return packet;
}

}  // namespace

Mac made_up_mac(Ipv4 own) {
  return {{0x02, 0xfb, static_cast<std::uint8_t>(own.value >> 24),
           static_cast<std::uint8_t>(own.value >> 16), static_cast<std::uint8_t>(own.value >> 8),
           static_cast<std::uint8_t>(own.value)}};
}

Played played(Client client, Mac mac) {
  return {.client = client, .mac = mac, .arch = architecture(client)};
}

dhcp::Packet discover(const Played& machine, std::uint32_t xid) {
  dhcp::Packet packet = packet_of(machine, dhcp::MessageType::discover, xid);
  packet.flags = kBroadcastFlag;  // nobody holds the address that is offered
  return packet;
}

dhcp::Packet boot_request(const Played& machine, std::uint32_t xid, Ipv4 own) {
  dhcp::Packet packet = packet_of(machine, dhcp::MessageType::request, xid);
  packet.ciaddr = own;
  return packet;
}

}  // namespace farboot::doctor
