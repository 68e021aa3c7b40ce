// The files of a tree by their names without case, for clients that write `\BOOT\bcd`, and discs
// that spell `boot/bcd` as they like. Pure.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "common/content/manifest.h"

namespace farboot {

/// Names looked at before a search gives up: a tree that holds one name in ever so many spellings.
inline constexpr std::size_t kAnyCaseLooksMax = 1u << 18;

struct AnyCase {
  /// nullptr: there is none, or more than one, and no guess is made.
  const FileEntry* file = nullptr;
  /// Set if there is more than one: two of them.
  std::pair<const FileEntry*, const FileEntry*> between{};
  std::size_t looks = 0;  ///< names of the tree that were looked at
};

/// The file at `path`, else the one whose path is `path` but for the case of ASCII letters. By
/// halving the sorted list for every letter: quick in trees of millions, and no index to keep.
AnyCase find_in_any_case(const Manifest& tree, std::string_view path);

}  // namespace farboot
