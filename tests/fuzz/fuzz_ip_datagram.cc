#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/wire/ip_datagram.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const auto datagram = decode_ip_datagram(ByteView(bytes, size));
  if (!datagram) return 0;
  const auto again = encode_ip_datagram(*datagram);
  FARBOOT_CHECK(again);
  const auto same = decode_ip_datagram(*again);
  FARBOOT_CHECK(same && same->from == datagram->from && same->to == datagram->to &&
                std::ranges::equal(same->payload, datagram->payload));
  return 0;
}
