// The one line an operator pastes on a Pi: whom to dial, whom to trust, and a secret for one use.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

inline constexpr std::size_t kTokenTextBytesMax = 1024;

struct EnrolToken {
  std::string address;  ///< host:port of the controller, as the Pi will dial it
  std::string site;
  std::string agent;  ///< name at the site
  /// Whole seconds. Judged by the controller's clock only: the Pi may have none.
  WallTime expires{};
  Digest ca_fingerprint;  ///< SHA-256 of the CA certificate's DER
  std::array<std::uint8_t, 8> id{};
  std::array<std::uint8_t, 24> secret{};
  bool operator==(const EnrolToken&) const = default;
};

/// `fb1.` and base64url without padding of: expiry (8 bytes, seconds), fingerprint, id, secret,
/// address, site and agent (each with a length byte), first 4 bytes of the SHA-256 of all that.
/// Requires what decode_token() checks.
std::string encode_token(const EnrolToken& token);
/// Surrounding blanks are ignored. Errors: invalid (says whether it is no token at all, or
/// damaged).
Result<EnrolToken> decode_token(std::string_view text);

/// True for `host:port`, host a DNS name, IPv4 or [IPv6], port 1 … 65535; at most 255 bytes.
bool is_address(std::string_view text);

}  // namespace farboot
