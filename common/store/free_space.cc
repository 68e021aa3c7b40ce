#include "common/store/free_space.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <system_error>

namespace farboot {

Result<FreeSpace> free_space(const std::string& path) {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) {
    return fail(Errc::unavailable, "{}: cannot ask the file system for its size: {}", path,
                std::error_code(errno, std::generic_category()).message());
  }
  return FreeSpace{
      .size_bytes = std::uint64_t{info.f_blocks} * info.f_frsize,
      .available_bytes = std::uint64_t{info.f_bavail} * info.f_frsize,
      .read_only = (info.f_flag & ST_RDONLY) != 0,
  };
}

}  // namespace farboot
