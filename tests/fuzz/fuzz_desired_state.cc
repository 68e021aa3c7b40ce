#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/content/desired_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  // Whatever is accepted survives being written and read again.
  if (const auto document = decode_desired_state(ByteView(bytes, size))) {
    const auto again = decode_desired_state(encode_desired_state(*document));
    FARBOOT_CHECK(again && *again == *document);
  }
  return 0;
}
