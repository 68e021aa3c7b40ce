#include "agent/net/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace farboot {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

Ipv4 ipv4_of(const sockaddr* address) {
  sockaddr_in in{};
  std::memcpy(&in, address, sizeof in);
  return Ipv4{ntohl(in.sin_addr.s_addr)};
}

unsigned mtu_of(const UniqueFd& socket, const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!socket || ::ioctl(socket.get(), SIOCGIFMTU, &request) != 0 || request.ifr_mtu <= 0)
    return Interface{}.mtu;
  return static_cast<unsigned>(request.ifr_mtu);
}

}  // namespace

std::optional<Ipv4> Interface::address_for(Ipv4 hint) const {
  if (addresses.empty()) return std::nullopt;
  if (!hint.is_zero())
    for (const InterfaceAddress& own : addresses)
      if (own.address.same_network(hint, own.prefix_bits)) return own.address;
  return addresses.front().address;
}

bool Interface::reaches(Ipv4 other) const {
  return std::any_of(addresses.begin(), addresses.end(), [other](const InterfaceAddress& own) {
    return own.address.same_network(other, own.prefix_bits);
  });
}

InterfaceTable::InterfaceTable(std::vector<Interface> interfaces)
    : interfaces_(std::move(interfaces)) {}

const Interface* InterfaceTable::find(int index) const {
  const auto at = std::find_if(interfaces_.begin(), interfaces_.end(),
                               [index](const Interface& i) { return i.index == index; });
  return at == interfaces_.end() ? nullptr : &*at;
}

const Interface* InterfaceTable::find(std::string_view name) const {
  const auto at = std::find_if(interfaces_.begin(), interfaces_.end(),
                               [name](const Interface& i) { return i.name == name; });
  return at == interfaces_.end() ? nullptr : &*at;
}

bool InterfaceTable::holds(Ipv4 address) const {
  for (const Interface& interface : interfaces_)
    for (const InterfaceAddress& own : interface.addresses)
      if (own.address == address) return true;
  return false;
}

Result<InterfaceTable> scan_interfaces() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return fail(Errc::unavailable, "interfaces: {}", reason(errno));
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

  std::vector<Interface> interfaces;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    // An address may carry a label of its own, `eth0:1`; the interface is what stands before it.
    const std::string label = entry->ifa_name;
    const std::string name = label.substr(0, label.find(':'));
    auto at = std::find_if(interfaces.begin(), interfaces.end(),
                           [&name](const Interface& i) { return i.name == name; });
    if (at == interfaces.end()) {
      interfaces.push_back({.index = static_cast<int>(::if_nametoindex(name.c_str())),
                            .name = name,
                            .loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0,
                            .up = (entry->ifa_flags & IFF_UP) != 0,
                            .mtu = mtu_of(socket, name),
                            .addresses = {}});
      at = std::prev(interfaces.end());
    }
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    const Ipv4 mask =
        entry->ifa_netmask == nullptr ? Ipv4::broadcast() : ipv4_of(entry->ifa_netmask);
    at->addresses.push_back({.address = ipv4_of(entry->ifa_addr),
                             .prefix_bits = static_cast<unsigned>(std::popcount(mask.value))});
  }
  std::erase_if(interfaces, [](const Interface& i) { return i.index == 0; });  // gone meanwhile
  return InterfaceTable(std::move(interfaces));
}

Result<UniqueFd> open_interface_watch() {
  UniqueFd watch(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR;
  if (!watch ||
      ::bind(watch.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Errc::unavailable, "interface changes: {}", reason(errno));
  return watch;
}

void drain_interface_watch(const UniqueFd& watch) {
  std::array<char, 8192> buffer;
  // ENOBUFS tells that messages were lost; the scan that follows sees what they would have said.
  while (::recv(watch.get(), buffer.data(), buffer.size(), 0) > 0 || errno == ENOBUFS ||
         errno == EINTR) {
  }
}

}  // namespace farboot
