// Small files that are either the old or the new ones, whatever happens.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

/// Replaces `path` by `content` with permission bits `mode`: temporary file, fsync, rename, fsync
/// of the folder. Durable when it returns. Errors: denied, exhausted (disk full), unavailable.
Result<void> write_file_atomically(const std::filesystem::path& path, ByteView content,
                                   unsigned mode);

/// The whole file. Errors: not_found, denied, exhausted (over `bytes_max`), unavailable.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);

/// Makes what was renamed or removed in `folder` durable. Errors: unavailable.
Result<void> sync_folder(const std::filesystem::path& folder);

}  // namespace farboot
