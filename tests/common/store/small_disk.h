// A file system of a few MB that others can fill up.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <string>

#include "common/base/unique_fd.h"
#include "tests/common/store/store_harness.h"

namespace farboot::test {

/// A small file system in memory, if this process may mount one.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& size) {
    mounted_ = ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  std::string path() const { return folder_.path().string(); }
  std::uint64_t free_bytes() const {
    struct statvfs info = {};
    EXPECT_EQ(::statvfs(path().c_str(), &info), 0);
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }
  /// Somebody else takes all but `left_bytes` of what is free.
  void fill(std::uint64_t left_bytes = 0) const {
    const UniqueFd file(::open(filler().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    auto end = static_cast<std::uint64_t>(::lseek(file.get(), 0, SEEK_END));
    // Smaller and smaller steps: whoever writes meanwhile makes the large ones fail.
    for (std::uint64_t step = 1u << 20; step >= 4096; step /= 2) {
      while (free_bytes() >= left_bytes + step &&
             ::posix_fallocate(file.get(), static_cast<off_t>(end), static_cast<off_t>(step)) ==
                 0) {
        end += step;
      }
    }
  }
  void empty() const { std::filesystem::remove(filler()); }

 private:
  std::string filler() const { return path() + "/filler"; }

  TempFolder folder_;
  bool mounted_ = false;
};

}  // namespace farboot::test
