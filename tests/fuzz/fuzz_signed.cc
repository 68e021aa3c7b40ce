#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "common/content/signature.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const ByteView input(bytes, size);
  if (const auto document = decode_signed(input)) {
    FARBOOT_CHECK(sha256(encode_signed(*document)) == sha256(input));
    // Nothing that was not signed by the one who holds the key is ever accepted.
    static const VerifyKey key = SigningKey::generate().verify_key();
    FARBOOT_CHECK(!key.verify(DocumentKind::release, *document));
  }
  return 0;
}
