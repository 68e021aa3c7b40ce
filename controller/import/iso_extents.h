// Where the files of an ISO 9660 image lie in it. Only that: names and contents are libarchive's
// business. Pure but for the bytes it asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/base/result.h"

namespace farboot {

inline constexpr std::size_t kIsoSectorBytes = 2048;

struct IsoExtent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  bool operator==(const IsoExtent&) const = default;
};

/// Fills `out` from `offset`, unless the image ends; how much it filled.
using ReadAt =
    std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::uint8_t> out)>;

/// Every file's place, by the directories of the primary volume descriptor: sorted, not empty, none
/// over another, all within `size_bytes`. For bytes from anywhere: directories that run in circles,
/// or records that make no sense, end it early with what was found. A file in several pieces that
/// lie behind each other is one extent. Errors: what `read` reports.
Result<std::vector<IsoExtent>> iso_extents(const ReadAt& read, std::uint64_t size_bytes);

}  // namespace farboot
