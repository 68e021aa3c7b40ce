// Where to cut a file. Pure: bytes and facts in, cut points out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/content/manifest.h"

namespace farboot {

enum class Cutting : std::uint8_t {
  fixed,    ///< pieces of kChunkBytesMax: RPMs, boot files, metadata
  content,  ///< FastCDC, 64 KiB average, 16 KiB … 1 MiB: squashfs and disk images
};

/// As much of a file's beginning as cutting_for() looks at.
inline constexpr std::size_t kCuttingHeadBytes = 4096;

/// Which way to cut a file, by its path, size and first bytes (kCuttingHeadBytes of them if there
/// are as many). Large non-RPM images: content.
Cutting cutting_for(std::string_view path, std::uint64_t size_bytes, ByteView head);

/// Cuts a stream. Feed bytes as they come; whole chunks come out in order. One owner, one thread.
class Chunker {
 public:
  explicit Chunker(Cutting cutting);

  /// Takes some of `data`. If a chunk is complete, `chunk` borrows its bytes (from the chunker or
  /// from `data` itself) until the next call, and `used` says how much of `data` was taken; call
  /// again with the rest. The cut points depend on the bytes alone, not on how they were fed.
  struct Step {
    std::size_t used = 0;
    ByteView chunk;  ///< empty: more data needed
  };
  Step push(ByteView data);
  /// The last chunk; empty if there is none. The chunker starts anew.
  ByteView finish();

 private:
  /// How much of `data` still belongs to the chunk under way; `cut` if the chunk ends there.
  struct Reach {
    std::size_t bytes = 0;
    bool cut = false;
  };
  Reach reach(ByteView data);
  Reach reach_by_content(ByteView data);

  Cutting cutting_;
  Bytes pending_;                  ///< of the chunk under way
  std::size_t scanned_ = 0;        ///< bytes of the chunk under way that were looked at
  std::uint64_t fingerprint_ = 0;  ///< gear hash over them
  bool returned_ = false;          ///< pending_ was lent out and is to be emptied
};

}  // namespace farboot
