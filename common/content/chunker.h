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

/// Which way to cut a file, by its path, size and first bytes. Large non-RPM images: content.
Cutting cutting_for(std::string_view path, std::uint64_t size_bytes, ByteView head);

/// Cuts a stream. Feed bytes as they come; whole chunks come out in order. One owner, one thread.
class Chunker {
 public:
  explicit Chunker(Cutting cutting);

  /// Takes some of `data`. If a chunk is complete, `chunk` borrows its bytes until the next call
  /// and `used` says how much of `data` was taken; call again with the rest.
  struct Step {
    std::size_t used = 0;
    ByteView chunk;  ///< empty: more data needed
  };
  Step push(ByteView data);
  /// The last chunk; empty if there is none. The chunker starts anew.
  ByteView finish();

 private:
  Cutting cutting_;
  Bytes pending_;
  std::size_t scanned_ = 0;
  std::uint64_t fingerprint_ = 0;
  bool returned_ = false;
};

}  // namespace farboot
