#include "controller/import/checksum.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "common/base/check.h"

namespace farboot {
namespace {

struct Algorithm {
  std::string_view name;
  std::size_t digits;
};
constexpr std::array<Algorithm, 6> kAlgorithms = {
    {{"md5", 32}, {"sha1", 40}, {"sha224", 56}, {"sha256", 64}, {"sha384", 96}, {"sha512", 128}}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return result;
}

}  // namespace

Result<Checksum> Checksum::make(std::string_view algorithm, std::string_view hex) {
  Checksum checksum{lower(algorithm), lower(hex)};
  if (checksum.algorithm == "sha") checksum.algorithm = "sha1";
  const auto* row =
      std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                   [&checksum](const Algorithm& each) { return each.name == checksum.algorithm; });
  if (row == kAlgorithms.end())
    return fail(Errc::invalid, "checksum algorithm '{}' is unknown", printable(algorithm, 40));
  if (checksum.hex.size() != row->digits ||
      checksum.hex.find_first_not_of("0123456789abcdef") != std::string::npos)
    return fail(Errc::invalid, "'{}' is not a {} checksum", printable(hex, 140), row->name);
  return checksum;
}

struct AnyHasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

AnyHasher::AnyHasher(const std::string& algorithm) : state_(std::make_unique<State>()) {
  const EVP_MD* digest = EVP_get_digestbyname(algorithm.c_str());
  FARBOOT_CHECK(digest != nullptr && state_->context != nullptr);
  FARBOOT_CHECK(EVP_DigestInit_ex(state_->context, digest, nullptr) == 1);
}

AnyHasher::~AnyHasher() = default;

void AnyHasher::update(ByteView data) {
  FARBOOT_CHECK(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

std::string AnyHasher::finish_hex() {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> raw{};
  unsigned int size = 0;
  FARBOOT_CHECK(EVP_DigestFinal_ex(state_->context, raw.data(), &size) == 1);
  return to_hex(ByteView(raw).first(size));
}

}  // namespace farboot
