// What both ends of the link turn into messages and back. Every field that comes is checked here.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/signature.h"
#include "farboot/v1/content.pb.h"

namespace farboot {

v1::SignedDocument to_proto(DocumentKind kind, const SignedDocument& document);
/// Errors: invalid (another kind, too long, no signature).
Result<SignedDocument> from_proto(DocumentKind kind, const v1::SignedDocument& message);

inline std::string to_proto(const Digest& digest) { return std::string(as_text(digest.bytes)); }
inline std::string to_proto(const std::optional<Digest>& digest) {
  return digest ? to_proto(*digest) : std::string();
}
/// Errors: invalid.
Result<Digest> digest_from_proto(const std::string& bytes);
/// Empty is none. Errors: invalid.
Result<std::optional<Digest>> optional_digest_from_proto(const std::string& bytes);

/// One after the other in one field.
std::string to_proto(std::span<const Digest> digests);
/// Errors: invalid (not a multiple of 32, none, more than `count_max`, one twice).
Result<std::vector<Digest>> digests_from_proto(const std::string& bytes, std::size_t count_max);

inline std::int64_t to_proto_ms(WallTime time) { return time.time_since_epoch().count(); }
/// Clamped to the years 1970 … 9999.
WallTime time_from_proto(std::int64_t time_ms);

/// Text from the other side, cut at `bytes_max`, made UTF-8 and printable on one line.
std::string text_from_proto(const std::string& text, std::size_t bytes_max);

}  // namespace farboot
