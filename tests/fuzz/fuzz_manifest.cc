#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/content/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const ByteView input(bytes, size);
  if (const auto parts = manifest_parts(input))
    for (const ChunkRef& part : *parts) FARBOOT_CHECK(part.size_bytes <= kChunkBytesMax);
  // Whatever is accepted has exactly one encoding.
  if (const auto manifest = decode_manifest(input)) {
    const auto again = encode_manifest(*manifest);
    FARBOOT_CHECK(again && again->size() == size);
    FARBOOT_CHECK(sha256(*again) == sha256(input));
  }
  return 0;
}
