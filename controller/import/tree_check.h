// Checks a tree that was read against every checksum it carries itself.
#pragma once

#include "common/content/manifest.h"
#include "common/store/content_store.h"
#include "controller/import/meter.h"

namespace farboot {

/// .treeinfo [checksums]; repomd.xml → metadata files → packages of primary.xml, for every
/// repository in the tree; md5sum.txt and the like at the root (Debian, Ubuntu). A file that
/// repodata or md5sum.txt names must be there. SHA-256 costs nothing; other algorithms read the
/// file back from the store. Returns how many checksums held. Errors: mismatch, naming the file and
/// both digests, or a file that is lacking; invalid (metadata that cannot be read); cancelled.
Result<std::size_t> check_tree(const Manifest& manifest, const ContentStore& store, Meter& meter);

}  // namespace farboot
