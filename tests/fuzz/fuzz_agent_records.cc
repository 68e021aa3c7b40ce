// What an agent keeps of machines and reads back after a power cut, and what its doctor told.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/doctor/finding.h"
#include "agent/host/attempt.h"
#include "agent/host/host_record.h"
#include "agent/host/outbox.h"
#include "common/base/bytes.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const std::string_view text = as_text(ByteView(bytes, size));
  // Whatever is accepted survives being written and read again.
  if (const auto attempt = decode_attempt(text)) {
    FARBOOT_CHECK(is_token(attempt->token) && attempt->part.entry(attempt->entry) != nullptr);
    const std::string written = encode_attempt(*attempt);
    const auto again = decode_attempt(written);
    FARBOOT_CHECK(again && encode_attempt(*again) == written);
  }
  if (const auto record = decode_host_record(text)) {
    FARBOOT_CHECK(!record->key().empty());
    const std::string written = encode_host_record(*record);
    const auto again = decode_host_record(written);
    FARBOOT_CHECK(again && encode_host_record(*again) == written);
    static_cast<void>(status_of(*record));
  }
  if (const auto event = decode_host_event(text)) {
    const auto again = decode_host_event(encode_host_event(*event));
    FARBOOT_CHECK(again && *again == *event);
  }
  if (const auto findings = doctor::findings_from_json(text)) {
    const auto again = doctor::findings_from_json(doctor::findings_json(*findings, -1));
    FARBOOT_CHECK(again && *again == *findings);
  }
  return 0;
}
