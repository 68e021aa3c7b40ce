// Every chunk a release needs.
#pragma once

#include <span>
#include <vector>

#include "common/content/manifest.h"
#include "common/store/content_store.h"

namespace farboot {

/// The chunks of all `manifests` together, each once, in the order in which they are read. Blocks.
/// Errors: those of manifest_closure().
Result<std::vector<ChunkRef>> release_closure(const ContentStore& store,
                                              std::span<const Digest> manifests);

}  // namespace farboot
