// Checksums as install trees write them down: MD5, SHA-1 and the SHA-2 family.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

struct Checksum {
  std::string algorithm;  ///< `md5`, `sha1`, `sha224`, `sha256`, `sha384`, `sha512`
  std::string hex;        ///< lower case
  bool operator==(const Checksum&) const = default;

  /// `algorithm` in any case; `sha` is SHA-1, as old repodata writes it. Errors: invalid.
  static Result<Checksum> make(std::string_view algorithm, std::string_view hex);
};

/// Hashes a stream by any of Checksum's algorithms.
class AnyHasher {
 public:
  /// `algorithm` as in Checksum.
  explicit AnyHasher(const std::string& algorithm);
  ~AnyHasher();
  AnyHasher(const AnyHasher&) = delete;
  AnyHasher& operator=(const AnyHasher&) = delete;

  void update(ByteView data);
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot
