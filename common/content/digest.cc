#include "common/content/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace farboot {
namespace {

int nibble(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/// Looked up once: EVP_sha256() makes OpenSSL 3 search its providers at every init.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  FARBOOT_CHECK(fetched != nullptr);
  return fetched;
}

}  // namespace

Result<Digest> Digest::from_hex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.bytes.size())
    return fail(Errc::invalid, "digest: {} characters, 64 hexadecimal digits expected",
                text.size());
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    const int high = nibble(text[2 * i]);
    const int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return fail(Errc::invalid, "digest '{}': not hexadecimal", printable(text));
    digest.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return digest;
}

Result<Digest> Digest::from_bytes(ByteView raw) {
  Digest digest;
  if (raw.size() != digest.bytes.size())
    return fail(Errc::invalid, "digest: {} bytes, 32 expected", raw.size());
  std::copy(raw.begin(), raw.end(), digest.bytes.begin());
  return digest;
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() {
    FARBOOT_CHECK(context != nullptr);
    restart();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void restart() { FARBOOT_CHECK(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView data) {
  FARBOOT_CHECK(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest;
  unsigned int size = 0;
  FARBOOT_CHECK(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), &size) == 1);
  FARBOOT_CHECK(size == digest.bytes.size());
  state_->restart();
  return digest;
}

Digest sha256(ByteView data) {
  Sha256 hasher;
  hasher.update(data);
  return hasher.finish();
}

}  // namespace farboot
