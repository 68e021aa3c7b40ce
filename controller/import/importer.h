// From an ISO, a directory or an HTTP(S)/file mirror of an install tree to chunks and a manifest.
// Streams, keeps no temporary copy, checks every checksum the tree carries, may be interrupted and
// repeated (chunks that are held are not written again).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/release.h"
#include "common/store/content_store.h"

namespace farboot {

struct ImportRequest {
  std::string source;  ///< path of an ISO or directory on this machine, or http(s):// / file:// URL
  std::string name;    ///< is_name()
  std::string tag;     ///< empty: from the tree's version
  std::optional<Digest> sha256;  ///< of the ISO file itself
  /// File in which an import from a mirror notes what it has fetched, so that a repeated one
  /// continues; removed when the import is whole. Its directory must exist. Empty: none, and only
  /// files of up to 1 MiB are known again.
  std::string journal;
};

struct ImportProgress {
  std::string step;  ///< `listing`, `measuring` (if space is scarce), `reading`, `checking`,
                     ///< `whole ISO` (of a system that starts from it)
  std::string path;  ///< file under way
  std::uint64_t files_done = 0, files_total = 0;  ///< total 0: not known yet
  std::uint64_t bytes_done = 0, bytes_total = 0;
};
/// Called a few times a second at most. False cancels the import.
using ImportWatcher = std::function<bool(const ImportProgress&)>;

/// Blocks; run it on a thread of its own. Nothing becomes visible before it returns: the caller
/// records the image; chunks that a refused one left are its to sweep. Errors: invalid, mismatch (a
/// source that is not whole, naming the file, both digests, and what to do), not_found, exhausted
/// (with the numbers, before the first byte where the size is known), unavailable, cancelled.
Result<Image> import_image(const ImportRequest& request, ContentStore& store,
                           const ImportWatcher& watcher);

}  // namespace farboot
