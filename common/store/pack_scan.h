// From pack files back to index rows.
#pragma once

#include "common/store/chunk_index.h"
#include "common/store/pack_folder.h"

namespace farboot {

/// Indexes every right record of pack `number` whose chunk is not held yet and returns the pack's
/// row, durably written. `checked` is told of each chunk, for it was hashed. Errors: invalid (a
/// format we cannot read), those of the index.
Result<PackRow> index_pack(ChunkIndex& index, const PackFolder& folder, std::uint32_t number,
                           const std::function<void(const Digest&)>& checked);

}  // namespace farboot
