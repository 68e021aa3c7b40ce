// The list of a tree's files. Deterministic bytes; identity is the digest of the stored bytes, and
// nothing is ever re-serialised to be compared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

inline constexpr std::uint32_t kChunkBytesMax = 1u << 20;
inline constexpr std::size_t kPathBytesMax = 4096;
inline constexpr std::size_t kManifestFilesMax = 2'000'000;
inline constexpr std::size_t kManifestBytesMax = 256u << 20;  ///< encoded, all parts together

/// A piece of a file. 1 … kChunkBytesMax bytes.
struct ChunkRef {
  Digest id;
  std::uint32_t size_bytes = 0;
  bool operator==(const ChunkRef&) const = default;
};

struct FileEntry {
  std::string path;              ///< relative, normalised, UTF-8, no `..`; as is_tree_path()
  std::uint32_t mode = 0644;     ///< permission bits only
  std::uint64_t size_bytes = 0;  ///< equals the sum of the chunks' sizes
  Digest sha256;                 ///< of the whole file
  std::vector<ChunkRef> chunks;  ///< in file order; empty for an empty file
  bool operator==(const FileEntry&) const = default;
};

struct Manifest {
  std::vector<FileEntry> files;  ///< sorted by path (bytewise), no path twice

  /// The file at `path`, or nullptr. O(log n). Borrowed until the manifest changes.
  const FileEntry* find(std::string_view path) const;
  std::uint64_t size_bytes() const;
  bool operator==(const Manifest&) const = default;
};

/// True for a path a manifest may hold: not empty, at most kPathBytesMax, UTF-8, `/`-separated, no
/// empty, `.` or `..` component, no NUL or control byte, no leading or trailing slash.
bool is_tree_path(std::string_view path);

/// The flat bytes of `manifest`: magic, version, files. Requires sorted unique tree paths and chunk
/// sizes that add up. Errors: invalid (naming the path); exhausted over kManifestBytesMax.
Result<Bytes> encode_manifest(const Manifest& manifest);

/// Checks everything encode_manifest() requires. For bytes from anywhere. Errors: invalid.
Result<Manifest> decode_manifest(ByteView bytes);

/// How a manifest lies in a store. Flat bytes of up to 1 MiB are one chunk; longer ones are cut
/// into pieces of 1 MiB and the root chunk lists them. The manifest's digest is the digest of
/// `root`.
struct StoredManifest {
  Bytes root;
  std::vector<Bytes> parts;  ///< empty if root is the flat manifest itself
  Digest digest;             ///< sha256(root)
};
Result<StoredManifest> to_stored(const Manifest& manifest);

/// The parts that `root` lists; empty if `root` is a flat manifest. Errors: invalid.
Result<std::vector<ChunkRef>> manifest_parts(ByteView root);

}  // namespace farboot
