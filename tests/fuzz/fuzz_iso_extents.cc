#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "controller/import/iso_extents.h"

// The places that an image's directories name: in order, inside it, none over another.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const ReadAt read = [&](std::uint64_t offset,
                          std::span<std::uint8_t> out) -> Result<std::size_t> {
    if (offset >= size) return std::size_t{0};
    const std::size_t length = std::min<std::size_t>(out.size(), size - offset);
    std::copy_n(bytes + offset, length, out.begin());
    return length;
  };
  const auto extents = iso_extents(read, size);
  FARBOOT_CHECK(extents);
  std::uint64_t end = 0;
  for (const IsoExtent& extent : *extents) {
    FARBOOT_CHECK(extent.size_bytes > 0 && extent.offset_bytes >= end);
    end = extent.offset_bytes + extent.size_bytes;
  }
  FARBOOT_CHECK(end <= size);
  return 0;
}
