// One pack file. Bytes once indexed are never written again, only read or freed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace farboot {

/// Half-open: begin ≤ x < end.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - begin; }
};

/// Thread-safe, except that one thread at a time may write. Lives as long as anyone reads from it:
/// an unlinked pack gives its space back when the last reader lets go.
class PackFile {
 public:
  /// Errors: not_found, unavailable (no descriptors left, disk).
  static Result<std::shared_ptr<PackFile>> open(const std::string& path);
  /// Makes it; conflict if it exists already.
  static Result<std::shared_ptr<PackFile>> create(const std::string& path);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

  /// Errors: exhausted (disk or quota full, file too large), unavailable.
  Result<void> write(std::uint64_t offset, std::span<const ByteView> parts);
  Result<void> sync();
  Result<void> truncate(std::uint64_t size_bytes);

  /// Fills `out`. Errors: corrupt (the file ends before, or the disk cannot read it).
  Result<void> read(std::uint64_t offset, std::span<std::uint8_t> out) const;
  /// Drops the range from the page cache, so that the next read asks the disk. What a socket still
  /// has queued cannot be dropped.
  void evict(ByteRange range) const;

  struct Punched {
    std::uint64_t freed_bytes = 0;
    bool whole = true;  ///< false: a socket still holds pages of the range; punch again later
  };
  /// Gives the range's whole pages back to the file system. Errors: unavailable.
  Result<Punched> punch(ByteRange range);

  std::uint64_t size_bytes() const;
  std::uint64_t disk_bytes() const;

 private:
  PackFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  static Result<std::shared_ptr<PackFile>> open_with(const std::string& path, int flags);
  Error failed(const char* what, int code) const;

  std::string path_;
  UniqueFd fd_;
};

/// Makes the names in `folder` durable.
Result<void> sync_folder(const std::string& folder);

}  // namespace farboot
