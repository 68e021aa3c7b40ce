// libarchive's reader with one owner, and its errors as ours.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

struct FreeArchive {
  void operator()(::archive* reader) const { ::archive_read_free(reader); }
};
using ArchiveReader = std::unique_ptr<::archive, FreeArchive>;

/// What libarchive says went wrong last, on one line.
std::string archive_problem(::archive* reader);

/// The compressions trees and packages come in. Never a filter that would start a program.
void support_filters(::archive* reader);

/// Gives the next bytes, borrowed until the next call; empty at the end.
using PullBytes = std::function<Result<ByteView>()>;
/// Takes bytes, borrowed for the call.
using PushBytes = std::function<Result<void>(ByteView)>;

/// A reader fed by `pull`; keeps pull's own error, which says more than libarchive's.
class PulledArchive {
 public:
  explicit PulledArchive(PullBytes pull);
  ~PulledArchive();
  PulledArchive(const PulledArchive&) = delete;
  PulledArchive& operator=(const PulledArchive&) = delete;

  /// For archive_read_support_*() before open().
  ::archive* get() const { return reader_.get(); }
  Result<void> open();
  /// True if there is one more entry. Errors: invalid, or pull's own.
  Result<bool> next(::archive_entry*& entry);
  /// The entry's bytes. Errors: invalid, exhausted beyond `bytes_max`, pull's and push's own.
  Result<void> read(std::uint64_t bytes_max, const PushBytes& push);

 private:
  static ::la_ssize_t on_read(::archive* reader, void* self, const void** buffer);
  Error problem() const;

  PullBytes pull_;
  std::optional<Error> pull_error_;
  ArchiveReader reader_;
};

/// Decompresses gzip, bzip2, xz, zstd; bytes that are not compressed come through as they are.
/// Errors: as PulledArchive::read().
Result<void> inflate(PullBytes pull, std::uint64_t bytes_max, const PushBytes& push);

/// pull() over bytes in memory. Borrows them.
PullBytes pull_from(ByteView bytes);

}  // namespace farboot
