// Sizes and durations as people write them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

/// `80GB` (decimal), `512MiB` (binary), `1024`. Units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB; upper
/// or lower case. Errors: invalid.
Result<std::uint64_t> parse_byte_size(std::string_view text);
/// The shortest text that parse_byte_size() reads back as `bytes`.
std::string format_byte_size(std::uint64_t bytes);

/// `500ms`, `10s`, `5m`, `2h`, `1d`, also together: `1h30m`. A bare number is refused: it does not
/// say of what. Errors: invalid.
Result<Milliseconds> parse_duration(std::string_view text);
std::string format_duration(Milliseconds duration);

}  // namespace farboot
