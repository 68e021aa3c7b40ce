#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/dhcp/decide.h"
#include "agent/dhcp/describe.h"
#include "agent/dhcp/foreign.h"
#include "common/base/check.h"
#include "common/wire/dhcp.h"

namespace {

using namespace farboot;

class EveryLoader final : public dhcp::LoaderSet {
 public:
  bool loader_exists(std::string_view) const override { return true; }
};

/// Sites of all kinds.
std::vector<dhcp::Policy> make_policies() {
  dhcp::Policy plain;
  plain.raspberry_pi_roms = true;
  dhcp::Policy one_shot = plain;
  one_shot.uefi_style = dhcp::ReplyStyle::one_shot;
  one_shot.script_path = "/" + std::string(200, 'x');
  dhcp::Policy ruled;
  for (const char* rule : {"52:54 one_shot loader=ipxe.efi", "arch=bios loader=ipxe.pxe",
                           "class=PXEClient:Arch:0000 raspberry_pi_rom binl"})
    ruled.rules.push_back(dhcp::parse_client_rule(rule).value());
  ruled.wish = [](const Mac& mac, const std::string& uuid) {
    dhcp::ClientWish wish;
    if (mac.octets[5] % 2 == 1) wish.host.loaders = {{7, std::string(200, 'l') + ".efi"}};
    if (!uuid.empty()) wish.site.uefi_style = dhcp::ReplyStyle::one_shot;
    return wish;
  };
  dhcp::Policy listed;
  FARBOOT_CHECK(listed.denied.add("10.99.0.0/16") && listed.denied.add("00:1b:21") &&
                listed.allowed.add("0.0.0.0/0") &&
                listed.denied.add("34124d56-cdab-0100-1111-2222deadbeef"));
  return {std::move(plain), std::move(one_shot), std::move(ruled), std::move(listed)};
}

void answer(const dhcp::Packet& request, const dhcp::Policy& policy, dhcp::Arrival arrival) {
  static const EveryLoader loaders;
  const auto decision = dhcp::decide(request, arrival, policy, loaders);
  const auto* reply = std::get_if<dhcp::Reply>(&decision);
  if (reply == nullptr) return;
  FARBOOT_CHECK(reply->packet.size() >= dhcp::kReplyBytesMin);
  FARBOOT_CHECK(reply->packet.size() <= request.reply_bytes_max());
  const auto packet = dhcp::decode(reply->packet);
  FARBOOT_CHECK(packet && packet->yiaddr.is_zero() && packet->xid == request.xid);
}

/// Texts as operators write them.
void read_texts(std::string_view text) {
  dhcp::ClientList list;
  FARBOOT_CHECK(list.add(text).has_value() != list.empty());
  if (const auto rule = dhcp::parse_client_rule(text))
    FARBOOT_CHECK(!rule->what.loaders.empty() || rule->what.uefi_style ||
                  rule->what.raspberry_pi_rom);
  if (const auto loaders = dhcp::parse_loaders(text)) FARBOOT_CHECK(!loaders->empty());
}

}  // namespace

// A packet as it comes from the wire, to every port of sites of all kinds: what we say can always
// be read, and fits. The same bytes as settings are taken or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::vector<dhcp::Policy> policies = make_policies();
  read_texts(as_text(ByteView(bytes, size)));
  const auto request = dhcp::decode(ByteView(bytes, size));
  if (!request) return 0;
  if (const auto again = dhcp::encode(*request, 1 << 20))
    FARBOOT_CHECK(dhcp::decode(*again).value() == *request);
  FARBOOT_CHECK(!dhcp::arch_text(*request).empty() && !dhcp::undi_text(*request).empty() &&
                !dhcp::ipxe_text(*request).empty());
  dhcp::Packet reply = *request;  // as if a server of the network had sent it
  reply.op = dhcp::Op::reply;
  if (const auto server = dhcp::foreign_server(reply, {})) FARBOOT_CHECK(!server->advice().empty());
  for (const dhcp::Policy& policy : policies)
    for (const auto port : {dhcp::Port::dhcp, dhcp::Port::pxe})
      for (const bool to_everybody : {false, true})
        answer(*request, policy,
               {.port = port,
                .our_address = Ipv4::of(10, 77, 0, 2),
                .source = Ipv4::of(10, 77, 0, 86),
                .source_port = 4011,
                .to_everybody = to_everybody});
  return 0;
}
