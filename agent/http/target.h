// The request target as a path and a query. Pure: hostile text in, normalised text out.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace farboot {

inline constexpr std::size_t kTargetBytesMax = 8 * 1024;
inline constexpr std::size_t kQueryPairsMax = 64;

struct Target {
  std::string path;        ///< decoded once, no leading slash, no empty, `.` or `..` component
  bool directory = false;  ///< it ended in a slash (or `.`): not the name of a file
  std::string query;       ///< as it came, without the `?`
};

/// Origin form or absolute form (RFC 9112 §3.2). `+` is a plus, `//` is `/`, `\` an ordinary byte;
/// the path is decoded once, then split and resolved. Errors: invalid (broken escape, NUL or other
/// control byte, neither form), exhausted (over kTargetBytesMax), not_found (`..` leaves the root).
Result<Target> parse_target(std::string_view target);

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

/// What `+` means: iPXE and curl send a plus as itself, forms (WHATWG URL §5) send a blank so.
enum class PlusSign {
  plus,
  blank
};

/// `a=1&b=%20` in order, decoded once; a broken escape stays as it is. Pairs beyond kQueryPairsMax
/// are dropped.
QueryPairs parse_query(std::string_view query, PlusSign plus);

/// The first value of `key`, or empty.
std::string_view query_value(const QueryPairs& pairs, std::string_view key);

}  // namespace farboot
