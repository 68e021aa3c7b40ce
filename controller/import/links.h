// Second names of files in a tree: what each symbolic and hard link stands for. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "controller/import/tree_source.h"

namespace farboot {

/// link path → path of the real file it stands for. A link to a directory gives every file under
/// it; a loop through a directory (Debian's `debian -> .`) is followed once. `tick` is asked again
/// and again; its error ends it. Errors: invalid, naming a link that leaves the tree, dangles or
/// runs in circles; exhausted, if directory links lie in each other more often than any tree needs.
Result<std::map<std::string, std::string>> resolve_links(
    const Listing& listing, const std::function<Result<void>()>& tick = {});

/// `path` relative to directory `base` (`` = root), without `.` and `..`. Errors: invalid if it
/// leaves the tree. An empty result is the root.
Result<std::string> join_tree_path(std::string_view base, std::string_view path);

}  // namespace farboot
