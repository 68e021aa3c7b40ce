// SHA-256 (FIPS 180-4) by OpenSSL's EVP: the name of every chunk, file, manifest and release.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  std::string hex() const { return to_hex(bytes); }              ///< 64 lower-case digits
  std::string short_hex() const { return hex().substr(0, 12); }  ///< for people and logs only
  ByteView view() const { return bytes; }

  /// Accepts exactly 64 hexadecimal digits, either case. Errors: invalid.
  static Result<Digest> from_hex(std::string_view text);
  /// Accepts exactly 32 raw bytes. Errors: invalid.
  static Result<Digest> from_bytes(ByteView raw);
};

/// For unordered containers: a digest is uniformly distributed already.
struct DigestHash {
  std::size_t operator()(const Digest& digest) const {
    std::size_t value;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};

Digest sha256(ByteView data);

/// Hashes a stream. One owner, one thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(ByteView data);
  /// The digest of all that came so far; the hasher starts anew.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot

template <>
struct fmt::formatter<farboot::Digest> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const farboot::Digest& digest, Context& context) const {
    return fmt::formatter<std::string_view>::format(digest.hex(), context);
  }
};
