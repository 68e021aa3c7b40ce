#include "agent/doctor/lan_probe.h"

#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "agent/doctor/machine.h"
#include "agent/net/raw_socket.h"

namespace farboot::doctor {
namespace {

constexpr std::size_t kPacketBytesMax = 2048;
constexpr int kPacketsPerTurn = 64;
constexpr Milliseconds kSlice{100};  ///< so soon a stop is seen
constexpr std::uint8_t kIpxeNoProxy = 0xb0;

/// A request on its way: who asks, and where.
struct Asked {
  Client client = Client::plain;
  OwnInterface own;
  int index = 0;
  Bytes packet;
};
using AskedByXid = std::map<std::uint32_t, Asked>;

Result<AskedByXid> requests_of(const LanProbe& probe) {
  std::random_device random;
  AskedByXid asked;
  std::size_t interfaces = 0;
  for (const OwnInterface& own : probe.interfaces) {
    if (++interfaces > kProbedMax) break;
    const int index = static_cast<int>(::if_nametoindex(own.name.c_str()));
    if (index == 0) continue;  // gone meanwhile
    for (const Client client : kClients) {
      std::uint32_t xid = random();
      while (asked.count(xid) != 0) xid = random();
      auto packet = dhcp::encode(discover(played(client, made_up_mac(own.address)), xid),
                                 dhcp::kDatagramBytesMax);
      if (!packet) return packet.error();
      asked[xid] = {client, own, index, std::move(*packet)};
    }
  }
  return asked;
}

Result<void> send_all(const RawSocket& socket, const AskedByXid& asked, std::uint16_t port) {
  for (const auto& [xid, each] : asked) {
    const UdpRoute route{
        .to = Ipv4::broadcast(), .to_port = port, .from = {}, .interface = each.index};
    if (auto sent = socket.send(each.packet, route); !sent)
      return prefix(each.own.name, sent.error());
  }
  return {};
}

/// Takes what waits. Anybody may send here: what is no answer to us is passed over.
void collect(const RawSocket& socket, const AskedByXid& asked, std::vector<SeenOffer>& offers) {
  std::array<std::uint8_t, kPacketBytesMax> buffer;
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    const auto arrival = socket.receive(buffer);
    if (!arrival) return;
    if (arrival->cut) continue;
    const auto packet = dhcp::decode(ByteView(buffer).first(arrival->size_bytes));
    if (!packet || packet->op != dhcp::Op::reply ||
        packet->message_type() != dhcp::MessageType::offer)
      continue;
    const auto found = asked.find(packet->xid);
    if (found == asked.end() || arrival->interface != found->second.index ||
        packet->mac() != made_up_mac(found->second.own.address))
      continue;
    SeenOffer offer =
        seen_offer(*packet, found->second.client, found->second.own.name, arrival->source);
    if (offers.size() < kOffersMax &&
        std::find(offers.begin(), offers.end(), offer) == offers.end())
      offers.push_back(std::move(offer));
  }
}

std::string text_of(ByteView value) {
  const std::string_view text = as_text(value);
  return std::string(text.substr(0, text.find('\0')));
}

}  // namespace

SeenOffer seen_offer(const dhcp::Packet& packet, Client asked, std::string interface, Ipv4 sender) {
  SeenOffer offer;
  offer.asked = asked;
  offer.interface = std::move(interface);
  offer.server = packet.server_id().value_or(sender);
  offer.address = packet.yiaddr;
  offer.next_server = packet.siaddr;
  offer.boot_file = packet.file;
  if (const auto file = packet.find(dhcp::code::kBootFile); file && offer.boot_file.empty())
    offer.boot_file = text_of(*file);
  offer.class_id = std::string(packet.class_id());
  if (const auto ipxe = packet.find(dhcp::code::kIpxe))
    if (const auto options = dhcp::decode_sub_options(*ipxe))
      offer.ipxe_waits_not =
          std::any_of(options->begin(), options->end(), [](const dhcp::Option& option) {
            return option.code == kIpxeNoProxy &&
                   std::any_of(option.value.begin(), option.value.end(),
                               [](std::uint8_t byte) { return byte != 0; });
          });
  return offer;
}

Result<std::vector<SeenOffer>> probe_lan(const LanProbe& probe, const std::stop_token& stop) {
  const auto asked = requests_of(probe);
  if (!asked) return asked.error();
  const auto socket = RawSocket::open(probe.client_port, RawHears::broadcasts);
  if (!socket) return socket.error();
  const Clock& clock = system_clock();
  const SteadyTime began = clock.steady();
  std::vector<SeenOffer> offers;
  int sent = 0;
  for (;;) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopping");
    const auto passed = std::chrono::duration_cast<Milliseconds>(clock.steady() - began);
    if (passed >= probe.wait || (probe.enough && probe.enough(offers))) return offers;
    // Twice, as one may be lost.
    if (sent == 0 || (sent == 1 && passed >= probe.wait / 2)) {
      if (auto out = send_all(**socket, *asked, probe.server_port); !out) return out.error();
      ++sent;
    }
    pollfd ready{.fd = (*socket)->fd(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, static_cast<int>(std::min(kSlice, probe.wait - passed).count()));
    collect(**socket, *asked, offers);
  }
}

}  // namespace farboot::doctor
