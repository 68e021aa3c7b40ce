// The files of a tree by their names without case, for clients that write `\BOOT\bcd`.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/content/manifest.h"

namespace farboot {

/// Four bytes for each file. Immutable; holds nothing of the tree.
class FoldedPaths {
 public:
  /// Sorts: seconds for a tree of millions of files.
  explicit FoldedPaths(const Manifest& tree);

  /// Of `tree`, the one this was made from: the file whose path is `path` but for the case of ASCII
  /// letters. nullptr: there is none, or more than one, and no guess is made.
  const FileEntry* find(const Manifest& tree, std::string_view path) const;

 private:
  std::vector<std::uint32_t> order_;  ///< places in the tree's list
};

}  // namespace farboot
