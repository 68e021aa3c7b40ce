#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "agent/dhcp/decide.h"
#include "common/base/check.h"
#include "common/wire/dhcp.h"

namespace {

class EveryLoader final : public farboot::dhcp::LoaderSet {
 public:
  bool loader_exists(std::string_view) const override { return true; }
};

}  // namespace

// A packet as it comes from the wire, on both ports: what we say can always be read, and fits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const auto request = dhcp::decode(ByteView(bytes, size));
  if (!request) return 0;
  if (const auto again = dhcp::encode(*request, 1 << 20))
    FARBOOT_CHECK(dhcp::decode(*again).value() == *request);
  dhcp::Policy policy;
  policy.raspberry_pi_roms = true;
  const EveryLoader loaders;
  for (const auto port : {dhcp::Port::dhcp, dhcp::Port::pxe}) {
    const dhcp::Arrival arrival{.port = port,
                                .our_address = Ipv4::of(10, 77, 0, 2),
                                .source = Ipv4::of(10, 77, 0, 86),
                                .source_port = 4011};
    const auto decision = dhcp::decide(*request, arrival, policy, loaders);
    const auto* reply = std::get_if<dhcp::Reply>(&decision);
    if (reply == nullptr) continue;
    FARBOOT_CHECK(reply->packet.size() >= dhcp::kReplyBytesMin);
    FARBOOT_CHECK(reply->packet.size() <= request->reply_bytes_max());
    const auto packet = dhcp::decode(reply->packet);
    FARBOOT_CHECK(packet && packet->yiaddr.is_zero() && packet->xid == request->xid);
  }
  return 0;
}
