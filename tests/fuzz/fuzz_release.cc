#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/content/release.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  // Whatever is accepted survives being written and read again.
  if (const auto document = decode_release(ByteView(bytes, size))) {
    const auto again = decode_release(encode_release(*document));
    FARBOOT_CHECK(again && *again == *document);
  }
  return 0;
}
