// What changed between two texts, for people. Pure.
#pragma once

#include <string>
#include <string_view>

namespace farboot {

/// Texts longer than this many lines (both together, without what is equal at both ends) are not
/// compared.
inline constexpr std::size_t kDiffLinesMax = 4000;

/// Unified, three lines of context, no file header. Empty: equal, or too long to be of use.
std::string text_diff(std::string_view before, std::string_view after);

}  // namespace farboot
