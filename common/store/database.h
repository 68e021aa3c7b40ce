// The daemon's one RocksDB, shared by the stores, each in its column family. Small on purpose: an
// agent's machine may have 1 GB. A full or broken disk never ends it: what is durable stays
// readable, what cannot be written is refused, and it writes again as soon as there is space.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/store/database_batch.h"
#include "common/store/database_instance.h"

namespace farboot {

/// Thread-safe. Every call may block on the disk.
class Database {
 public:
  /// Opens the database in `folder`, or makes one where the folder is empty or absent. Where there
  /// is no space to write it opens for reading, and for writing later. Errors: conflict (another
  /// process has it open), invalid (the folder is somebody else's, or of a newer version), corrupt,
  /// exhausted, denied.
  static Result<std::unique_ptr<Database>> open(const std::string& folder,
                                                DatabaseOptions options = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& folder() const { return folder_; }

  Result<std::optional<std::string>> get(Family family, std::string_view key) const;

  /// All or nothing, durable when it returns. What was refused is never seen by this process; after
  /// a crash it may be there. Not from inside a scan. Errors: exhausted (with the numbers),
  /// unavailable.
  Result<void> write(const DatabaseBatch& batch);
  /// Whether a batch of `size_bytes` can be tried now; opens the database anew if that is what it
  /// takes. If this succeeds, what was refused before is gone from the disk too.
  Result<void> make_writable(std::uint64_t size_bytes);
  /// What the database wants left free of the file system, to write and rewrite its own files.
  std::uint64_t room_bytes() const;

  /// Calls `row` for each key that begins with `prefix`, in key order, on one snapshot, until it
  /// returns false. `row` must not write. Errors of the database only.
  using Row = std::function<bool(std::string_view key, std::string_view value)>;
  Result<void> scan(Family family, std::string_view prefix, const Row& row) const;
  /// The same from `start` to the end of the family.
  Result<void> scan_from(Family family, std::string_view start, const Row& row) const;

  /// Moves what is in memory to files. Afterwards no read is answered from the write buffer.
  Result<void> flush(Family family);
  /// Makes the next reads come from the disk: drops the table files from the page cache.
  void drop_page_cache() const;
  /// Bytes allocated by the folder.
  std::uint64_t disk_bytes() const;

 private:
  Database(std::string folder, DatabaseOptions options)
      : folder_(std::move(folder)), options_(options) {}

  /// Most that one family has in memory, and that becomes one table.
  std::uint64_t table_bytes_max() const { return options_.write_buffer_bytes / 2; }
  Result<void> check_format();
  Result<void> ready(std::uint64_t size_bytes);
  Result<void> room_to_open() const;
  Result<void> bring_up();
  Result<void> reopen();
  /// Opens anew and tries once more if the first try fails and there is space.
  template <class Change>
  Result<void> change(std::uint64_t size_bytes, const Change& apply);
  Error refused(const rocksdb::Status& status) const;

  const std::string folder_;
  const DatabaseOptions options_;
  std::mutex write_mutex_;                    ///< one writer; who holds it may replace the instance
  mutable std::shared_mutex instance_mutex_;  ///< taken after write_mutex_; shared by readers
  std::unique_ptr<DatabaseInstance> instance_;  ///< none if even reading is impossible
  std::optional<std::uint64_t> sequence_max_;   ///< after a failure: the last change that counts
  bool wants_rewrite_ = false;                  ///< the last instance failed for lack of that room
};

/// A data folder's identity and format: read or made at the first use by the rooms that own files
/// beside the database.
inline constexpr std::string_view kDatabaseFormat = "farboot 1";

}  // namespace farboot
