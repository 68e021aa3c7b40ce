// What the controller keeps in its database and reads back, also of an older or a newer version.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "controller/fleet/site.h"
#include "controller/pki/enrol.h"
#include "controller/pki/operator_book.h"
#include "controller/rollout/rollout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const std::string_view text = as_text(ByteView(bytes, size));
  // Whatever is accepted survives being written and read again.
  if (const auto agent = decode_agent_record(text)) {
    const std::string written = encode_agent_record(*agent);
    const auto again = decode_agent_record(written);
    FARBOOT_CHECK(again && encode_agent_record(*again) == written);
  }
  if (const auto who = decode_operator_record(text)) {
    const std::string written = encode_operator_record(*who);
    const auto again = decode_operator_record(written);
    FARBOOT_CHECK(again && encode_operator_record(*again) == written);
  }
  if (const auto rollout = decode_rollout(text)) {
    FARBOOT_CHECK(rollout->wave < rollout->waves.size());
    const auto again = decode_rollout(encode_rollout(*rollout));
    FARBOOT_CHECK(again && *again == *rollout);
  }
  if (const auto site = decode_site("lyon", text)) {
    const auto again = decode_site("lyon", encode_site(*site));
    FARBOOT_CHECK(again && *again == *site);
  }
  return 0;
}
