// Which chunks the sweep must leave alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "agent/catalog/catalog.h"
#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"

namespace farboot {

/// Trees that requests under way may still read; Catalog::trees_in_use().
using TreesInUse = std::map<Digest, std::shared_ptr<const Manifest>>;

/// Sorted digests of all chunks of the active, previous and staged release, of pinned trees, of
/// `in_use`, and `more`. Blocks. An error means that nobody knows what may be freed: then nothing
/// may. A previous release or pin whose manifest has rotted is left out: nothing can serve it.
Result<std::vector<Digest>> keep_set(const ContentStore& store, const StateStore& state,
                                     const Catalog::Stored& stored, const TreesInUse& in_use,
                                     std::span<const ChunkRef> more);

}  // namespace farboot
