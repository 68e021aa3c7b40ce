// Which file a path means where upper and lower case do not count: Windows' discs spell their own
// as they like. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace farboot {

/// Equal but for the case of ASCII letters.
bool same_folded(std::string_view a, std::string_view b);

/// Looks at the names of a tree, one at a time. Case is that of ASCII letters.
class Spelling {
 public:
  explicit Spelling(std::string_view path) : path_(path) {}

  void look(std::string_view name);
  /// That very path, else the only one that is it but for case. Errors: not_found; invalid, naming
  /// two of those there are: no guess is made.
  Result<std::string> meant() const;

 private:
  std::string path_;
  bool exact_ = false;
  std::vector<std::string> others_;  ///< two at most
};

}  // namespace farboot
