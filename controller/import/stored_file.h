// A file read back from the store, chunk by chunk.
#pragma once

#include "common/content/manifest.h"
#include "common/store/content_store.h"
#include "controller/import/archive.h"

namespace farboot {

/// Borrows both. Errors: not_found, corrupt.
PullBytes pull_from(const ContentStore& store, const FileEntry& file);

/// The whole of a small file. Errors: invalid over `bytes_max`; not_found, corrupt.
Result<Bytes> read_stored(const ContentStore& store, const FileEntry& file, std::size_t bytes_max);

}  // namespace farboot
