#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "controller/import/archive.h"
#include "controller/import/repodata.h"

// As repomd.xml, and as primary.xml behind whatever compression the bytes claim to have.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const ByteView input(bytes, size);
  if (const auto files = parse_repomd(input))
    for (const RepoFile& file : *files) FARBOOT_CHECK(!file.href.empty());
  PrimaryParser parser([](const RepoFile& package) -> Result<void> {
    FARBOOT_CHECK(!package.href.empty());
    return {};
  });
  constexpr std::uint64_t kXmlBytesMax = 1u << 22;
  const auto ok =
      inflate(pull_from(input), kXmlBytesMax, [&parser](ByteView xml) { return parser.push(xml); });
  if (ok) static_cast<void>(parser.finish());
  return 0;
}
