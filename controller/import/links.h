// Second names of files in a tree: what each symbolic and hard link stands for. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "controller/import/tree_source.h"

namespace farboot {

/// link path → path of the real file it stands for. A link to a directory gives every file under
/// it; a loop through a directory (Debian's `debian -> .`) is followed once. Errors: invalid,
/// naming a link that leaves the tree, dangles or runs in circles.
Result<std::map<std::string, std::string>> resolve_links(const Listing& listing);

/// `path` relative to directory `base` (`` = root), without `.` and `..`. Errors: invalid if it
/// leaves the tree. An empty result is the root.
Result<std::string> join_tree_path(std::string_view base, std::string_view path);

}  // namespace farboot
