// An ISO image as one file of its own tree: Ubuntu's installer wants the image itself (`url=`).
#pragma once

#include <string>
#include <vector>

#include "common/content/manifest.h"
#include "common/store/content_store.h"
#include "controller/import/iso_extents.h"
#include "controller/import/meter.h"

namespace farboot {

struct WholeIso {
  const ReadAt& read;
  std::uint64_t size_bytes = 0;
  std::string path;  ///< of the entry in the tree
};

/// Reads the image once, hashes it, and makes it of the chunks of `files` (which the store holds)
/// wherever one of them lies in the image; only what is between them is stored. Whether it is that
/// file is told by its digest, so a directory that lies costs space and nothing else. Errors: what
/// `read` and the store report; mismatch (the image ends early); cancelled.
Result<FileEntry> keep_whole_iso(const WholeIso& iso, const std::vector<FileEntry>& files,
                                 ContentStore& store, Meter& meter);

}  // namespace farboot
