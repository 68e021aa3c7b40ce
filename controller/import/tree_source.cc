#include "controller/import/tree_source.h"

#include <algorithm>
#include <array>

namespace farboot {

bool is_metadata_text(std::string_view path) {
  constexpr std::array<std::string_view, 4> kNames = {".treeinfo", "treeinfo", ".discinfo",
                                                      ".disk/info"};
  return std::find(kNames.begin(), kNames.end(), path) != kNames.end();
}

std::uint64_t Listing::size_bytes() const {
  std::uint64_t sum = 0;
  for (const SourceFile& file : files) sum += file.size_bytes.value_or(0);
  return sum;
}

std::uint32_t tree_mode(std::uint32_t mode) { return (mode & 0111) != 0 ? 0755 : 0644; }

}  // namespace farboot
