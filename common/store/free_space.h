// What a file system has left.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace farboot {

struct FreeSpace {
  std::uint64_t size_bytes = 0;       ///< of the file system
  std::uint64_t available_bytes = 0;  ///< to us: what is kept for root is not counted
  bool read_only = false;
};

/// Of the file system `path` lies on. Errors: unavailable.
Result<FreeSpace> free_space(const std::string& path);

}  // namespace farboot
