// One opened RocksDB. It ends its life as a writer at the first thing it could not write: what is
// in memory and on the disk stays readable, and only opening it anew makes it writable again.
// RocksDB has ways to go on by itself after an error; they write to files that failed (Debian's
// library aborts the process over it), so they are switched off.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/store/database_batch.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class FileLock;
class Status;
class WalFilter;
}  // namespace rocksdb

namespace farboot {

struct DatabaseOptions {
  std::size_t block_cache_bytes = 4u << 20;
  std::size_t write_buffer_bytes = 4u << 20;  ///< of all families together
};

/// What RocksDB says, in our words.
Error to_error(std::string_view subject, const rocksdb::Status& status);

/// Thread-safe.
class DatabaseInstance {
 public:
  struct How {
    bool read_only = false;  ///< writes nothing at all
    /// Later changes that the log holds are left out: they were refused.
    std::optional<std::uint64_t> sequence_max;
  };
  static Result<std::unique_ptr<DatabaseInstance>> open(const std::string& folder,
                                                        const DatabaseOptions& options, How how);
  ~DatabaseInstance();
  DatabaseInstance(const DatabaseInstance&) = delete;
  DatabaseInstance& operator=(const DatabaseInstance&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }
  /// All or nothing, durable. Not again after it failed once. One caller at a time.
  rocksdb::Status write(const DatabaseBatch& batch);
  /// Moves what is in memory to files. One caller at a time, and not beside write().
  rocksdb::Status flush(Family family);

  bool read_only() const { return lock_ != nullptr; }
  /// Something could not be written, by a caller or in the background.
  bool failed() const;
  /// What failed was rewriting tables in the background.
  bool failed_rewriting() const;
  /// Of the last change that counts.
  std::uint64_t sequence() const;
  /// Waits for the work in the background to end; none begins any more. Reads go on.
  void quiesce();

 private:
  class Watcher;
  DatabaseInstance();

  std::shared_ptr<Watcher> watcher_;
  std::unique_ptr<rocksdb::WalFilter> filter_;
  rocksdb::FileLock* lock_ = nullptr;  ///< ours when read-only; else RocksDB holds its own
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
};

}  // namespace farboot
