// Sizes, durations, dates as people and clients write them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/config/units.h"
#include "common/content/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const std::string_view text = as_text(ByteView(bytes, size));
  if (const auto bytes_read = parse_byte_size(text))
    FARBOOT_CHECK(parse_byte_size(format_byte_size(*bytes_read)).value() == *bytes_read);
  if (const auto duration = parse_duration(text)) {
    FARBOOT_CHECK(*duration >= Milliseconds(0));
    FARBOOT_CHECK(parse_duration(format_duration(*duration)).value() == *duration);
  }
  if (const auto digest = Digest::from_hex(text))
    FARBOOT_CHECK(Digest::from_hex(digest->hex()).value() == *digest);
  return 0;
}
