#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/base/check.h"
#include "common/wire/http_range.h"

// First eight bytes: the size of the file; the rest: the header.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  std::uint64_t file_size = 0;
  if (size < sizeof file_size) return 0;
  std::memcpy(&file_size, bytes, sizeof file_size);
  const std::string_view header(reinterpret_cast<const char*>(bytes) + sizeof file_size,
                                size - sizeof file_size);
  const http_range::Parsed parsed = http_range::parse(header, file_size);
  FARBOOT_CHECK((parsed.answer == http_range::Answer::ranges) == !parsed.ranges.empty());
  FARBOOT_CHECK(parsed.ranges.size() <= http_range::kRangesMax);
  for (const auto& range : parsed.ranges)
    FARBOOT_CHECK(range.first <= range.last && range.last < file_size);
  for (std::size_t i = 0; i < parsed.ranges.size(); ++i)
    for (std::size_t j = i + 1; j < parsed.ranges.size(); ++j)
      FARBOOT_CHECK(parsed.ranges[i].last < parsed.ranges[j].first ||
                    parsed.ranges[j].last < parsed.ranges[i].first);
  return 0;
}
