// A UDF volume (the file system of Windows' discs) by libudfread, within bounds of our own: the
// library follows any chain of descriptors for ever and takes any length for true.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "controller/import/iso_extents.h"

namespace farboot {

/// True if the image announces UDF: a BEA01 descriptor and behind it NSR02 or NSR03.
Result<bool> announces_udf(const ReadAt& read);

struct UdfFile {
  std::string path;  ///< is_tree_path()
  std::uint64_t size_bytes = 0;
  std::uint32_t first_block = 0;  ///< where it begins; 0: inside its own descriptor, or empty
};

/// One owner, one thread. For bytes from anywhere.
class UdfVolume {
 public:
  /// Borrows `read`. Errors: mismatch (no UDF, damaged, or cut short); what `read` reports.
  static Result<std::unique_ptr<UdfVolume>> open(const ReadAt& read, std::uint64_t size_bytes);
  ~UdfVolume();
  UdfVolume(const UdfVolume&) = delete;
  UdfVolume& operator=(const UdfVolume&) = delete;

  /// Every file, in the order in which they lie on the disc. `tick` is asked again and again; its
  /// error ends it. Errors: mismatch (damaged), invalid (a name no tree may hold), exhausted (more
  /// files, or deeper, than any disc has).
  Result<std::vector<UdfFile>> files(const std::function<Result<void>()>& tick);
  /// The bytes of one of files(), in pieces borrowed for the call. Errors: mismatch; push's own.
  Result<void> read(const UdfFile& file, const std::function<Result<void>(ByteView)>& push);

 private:
  class Input;
  UdfVolume();

  std::unique_ptr<Input> input_;
};

}  // namespace farboot
