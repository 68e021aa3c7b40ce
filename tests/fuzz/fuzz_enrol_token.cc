// The line an operator pastes, damaged on its way or made up; and names on one line as
// certificates have them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/content/digest.h"
#include "common/rpc/enrol_token.h"
#include "common/rpc/identity.h"

namespace {

using namespace farboot;

/// Its bytes with a checksum that is right: nobody gets past that by chance.
std::string with_checksum(ByteView body) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const Digest check = sha256(body);
  Bytes whole(body.begin(), body.end());
  whole.insert(whole.end(), check.bytes.begin(), check.bytes.begin() + 4);
  std::string text = "fb1.";
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += 6) {
    unsigned six = 0;
    for (std::size_t i = bit; i < bit + 6; ++i)
      six = six << 1 | (i < whole.size() * 8 ? whole[i / 8] >> (7 - i % 8) & 1u : 0u);
    text += kAlphabet[six];
  }
  return text;
}

void take(std::string_view text) {
  const auto token = decode_token(text);
  if (!token) return;
  FARBOOT_CHECK(is_address(token->address) && is_peer_word(token->site) &&
                is_peer_word(token->agent));
  // Whatever is accepted survives being written and read again.
  const auto again = decode_token(encode_token(*token));
  FARBOOT_CHECK(again && *again == *token);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ByteView input(bytes, size);
  const std::string_view text = as_text(input);
  take(text);
  take(with_checksum(input));
  if (is_address(text)) FARBOOT_CHECK(text.size() >= 3 && text.size() <= 255);
  if (const auto identity = parse_identity_uri(text))
    FARBOOT_CHECK(identity_uri(*identity) == text);
  return 0;
}
