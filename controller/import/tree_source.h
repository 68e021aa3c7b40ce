// Where an install tree is read from: an ISO, a directory, a mirror.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/store/content_store.h"
#include "controller/import/checksum.h"

namespace farboot {

class Intake;
class Meter;

/// Small files whose content says what a tree is; they are kept in memory beside the listing.
inline constexpr std::size_t kMetadataTextBytesMax = 1u << 20;
bool is_metadata_text(std::string_view path);

struct SourceFile {
  std::string path;  ///< is_tree_path()
  std::uint32_t mode = 0644;
  std::optional<std::uint64_t> size_bytes;  ///< none: the source does not know yet
  std::optional<Checksum> checksum;         ///< none: the source knows none
};

/// A second name: a symbolic link (to a file or a directory) or a hard link.
struct SourceLink {
  std::string path;    ///< is_tree_path()
  std::string target;  ///< symbolic: as written, relative to the link; hard: a path of the tree
  enum class Kind : std::uint8_t {
    symbolic,
    hard
  } kind = Kind::symbolic;
};

struct Listing {
  std::vector<SourceFile> files;
  std::vector<SourceLink> links;
  std::map<std::string, std::string> texts;  ///< is_metadata_text() files by path

  std::uint64_t size_bytes() const;  ///< of the files whose size is known
};

/// Blocks. One owner, one thread.
class TreeSource {
 public:
  virtual ~TreeSource() = default;
  /// What there is, without reading it all. Errors: invalid, not_found, unavailable, cancelled.
  virtual Result<Listing> list(Meter& meter) = 0;
  /// Feeds every listed file to `intake`, each once, in the order that is cheapest to read. May be
  /// called again.
  virtual Result<void> read(const Listing& listing, Intake& intake) = 0;
  /// Bytes of the listing that `store` is known to hold already, without reading the source.
  virtual Result<std::uint64_t> held_bytes(const Listing& listing, const ContentStore& store) {
    static_cast<void>(listing);
    static_cast<void>(store);
    return std::uint64_t{0};
  }
  /// True if the source is one file, an ISO image: as_file() gives it.
  virtual bool is_one_file() const { return false; }
  /// The source itself as the file `path` of its tree, sharing the chunks of `files` (what read()
  /// gave). Errors: invalid if it is not one file; else as read().
  virtual Result<FileEntry> as_file(const std::string& path, const std::vector<FileEntry>& files,
                                    ContentStore& store, Meter& meter);
  /// True if reading twice costs no network.
  virtual bool is_local() const = 0;
  /// The directory of the tree that holds .treeinfo and the boot files; `` is the tree's root.
  /// After list().
  virtual std::string root() const { return {}; }
};

/// Why `path` on this machine cannot be read, by `errno`, and as whom we tried: what an operator
/// may read, the controller's own user often may not. Errors: not_found, denied.
Error not_readable(const std::string& path, int error_number);

/// The permission bits a manifest keeps: an ISO and the directory it was unpacked to give the same.
std::uint32_t tree_mode(std::uint32_t mode);

}  // namespace farboot
