// Validators and conditional requests (RFC 9110 §8.8, §13). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace farboot {

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
std::string http_date(WallTime time);
/// All three forms of RFC 9110 §5.6.7. nullopt: not a date.
std::optional<WallTime> parse_http_date(std::string_view text);

/// What we say of a file. `etag` is strong and has its quotes.
struct Validators {
  std::string etag;
  WallTime modified{};  ///< the epoch: not known
};

/// Values of the headers as they came; empty: absent.
struct Conditions {
  std::string_view if_match;
  std::string_view if_unmodified_since;
  std::string_view if_none_match;
  std::string_view if_modified_since;
};

enum class Precondition {
  proceed,
  not_modified,  ///< 304
  failed,        ///< 412
};

/// In the order of RFC 9110 §13.2.2, for GET and HEAD.
Precondition evaluate(const Conditions& conditions, const Validators& validators);

/// False if `If-Range` says that the client's part is of another file: it gets the whole one.
bool range_applies(std::string_view if_range, const Validators& validators);

}  // namespace farboot
