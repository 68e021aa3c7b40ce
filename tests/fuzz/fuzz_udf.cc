#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/check.h"
#include "common/content/manifest.h"
#include "controller/import/udf_volume.h"

// An image by its blocks that are not empty, as a volume of a few files is half a megabyte of
// zeros: each is two bytes of number (little-endian) and 2048 of content, the last may be shorter.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  constexpr std::size_t kBlocksMax = 1024;
  std::vector<std::uint8_t> image;
  for (std::size_t at = 0; at + 2 < size;) {
    const std::size_t block = (bytes[at] | std::size_t{bytes[at + 1]} << 8) % kBlocksMax;
    at += 2;
    const std::size_t length = std::min(kIsoSectorBytes, size - at);
    image.resize(std::max(image.size(), (block + 1) * kIsoSectorBytes));
    std::copy_n(bytes + at, length,
                image.begin() + static_cast<std::ptrdiff_t>(block * kIsoSectorBytes));
    at += length;
  }
  const ReadAt read = [&](std::uint64_t offset,
                          std::span<std::uint8_t> out) -> Result<std::size_t> {
    if (offset >= image.size()) return std::size_t{0};
    const std::size_t length = std::min<std::size_t>(out.size(), image.size() - offset);
    std::copy_n(image.begin() + static_cast<std::ptrdiff_t>(offset), length, out.begin());
    return length;
  };
  auto volume = UdfVolume::open(read, image.size());
  if (!volume) return 0;
  const auto files = (*volume)->files([] { return Result<void>(); });
  if (!files) return 0;
  for (const UdfFile& file : *files) {
    FARBOOT_CHECK(is_tree_path(file.path) && file.size_bytes <= image.size());
    std::uint64_t read_bytes = 0;
    const auto ok = (*volume)->read(file, [&read_bytes](ByteView part) -> Result<void> {
      read_bytes += part.size();
      return {};
    });
    FARBOOT_CHECK(!ok || read_bytes == file.size_bytes);
  }
  return 0;
}
