// What an import from a mirror has fetched so far, so that a repeated one need not fetch it again.
// Small files need no entry: their one chunk has their own digest. A hint only: every chunk is
// looked for in the store before it is believed, so a lost or torn line costs a download.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "common/content/manifest.h"

namespace farboot {

/// One line per file: its SHA-256, then its chunks as id:bytes. One owner, one thread.
class ImportJournal {
 public:
  /// `path` empty: keeps nothing. Made if it is not there; its directory must exist. Errors:
  /// unavailable.
  static Result<ImportJournal> open(const std::string& path);

  /// The chunks of the file with this digest, or nullptr.
  const std::vector<ChunkRef>* find(const Digest& sha256) const;
  /// Best effort: a full disk is the store's to report.
  void add(const FileEntry& file);

 private:
  UniqueFd file_;
  std::unordered_map<Digest, std::vector<ChunkRef>, DigestHash> known_;
};

/// So long after it was broken off an import finds what it had; then that is given up.
inline constexpr Seconds kBrokenOffImportLife{7 * 24 * 3600};

/// Notes that the import with this journal begins: makes the file, or sets its time. True if it was
/// there. `path` empty: does nothing. Best effort.
bool begin_journal(const std::string& path, WallTime now);

/// Removes the journals in `folder` that were begun longer ago than kBrokenOffImportLife; how many.
/// Best effort.
std::size_t remove_old_journals(const std::filesystem::path& folder, WallTime now);

}  // namespace farboot
