// The one file an image lies in: read at places, hashed beside.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/content/digest.h"

namespace farboot {

struct ImageFile {
  std::string path;
  UniqueFd fd;
  std::uint64_t size_bytes = 0;

  /// Errors: not_found, denied.
  static Result<ImageFile> open(const std::string& path);
};

/// Reads fully unless the file ends. Errors: unavailable.
Result<std::size_t> read_at(int fd, std::uint64_t offset, std::span<std::uint8_t> out);

/// Hashes the image file on a thread of its own, beside the reading.
class FileHasher {
 public:
  explicit FileHasher(int fd) : thread_([this, fd] { run(fd); }) {}
  ~FileHasher();
  FileHasher(const FileHasher&) = delete;
  FileHasher& operator=(const FileHasher&) = delete;

  /// Waits for it. Errors: mismatch if it is not `wanted`; unavailable.
  Result<void> finish(const std::string& path, const Digest& wanted);

 private:
  void run(int fd);

  std::atomic<bool> stop_ = false;
  Result<Digest> result_{Digest{}};
  std::thread thread_;
};

}  // namespace farboot
