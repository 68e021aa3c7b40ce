// The daemon's one RocksDB: opened once, shared by the stores, each in its column family. Small on
// purpose: an agent's machine may have 1 GB.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace farboot {

/// Column families. Their names are on disk: never reuse one.
enum class Family : std::uint8_t {
  meta,    ///< format, counters
  chunks,  ///< digest → where its bytes are
  small,   ///< digest → the bytes of a small chunk
  packs,   ///< pack files: what is indexed of each, bytes to free, quarantine
  state,   ///< StateStore
};
inline constexpr std::size_t kFamilies = 5;

struct DatabaseOptions {
  std::size_t block_cache_bytes = 4u << 20;
  std::size_t write_buffer_bytes = 4u << 20;  ///< of all families together
};

/// Thread-safe. Every call may block on the disk.
class Database {
 public:
  /// Opens the database in `folder`, or makes one where the folder is empty or absent. Errors:
  /// conflict (another process has it open), invalid (the folder is somebody else's, or of a newer
  /// version), corrupt, exhausted, denied.
  static Result<std::unique_ptr<Database>> open(const std::string& folder,
                                                DatabaseOptions options = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& folder() const { return folder_; }

  Result<std::optional<std::string>> get(Family family, std::string_view key) const;

  /// All or nothing, durable when it returns. After a full disk writes work again by themselves, a
  /// few seconds after there is space. Errors: exhausted, unavailable.
  Result<void> write(rocksdb::WriteBatch& batch);

  /// Calls `row` for each key that begins with `prefix`, in key order, on one snapshot, until it
  /// returns false. Errors of the database only.
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

  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }

 private:
  Database() = default;

  std::string folder_;
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
};

/// What RocksDB says, in our words.
Error to_error(std::string_view subject, const rocksdb::Status& status);

/// A data folder's identity and format: read or made at the first use by the rooms that own files
/// beside the database.
inline constexpr std::string_view kDatabaseFormat = "farboot 1";

}  // namespace farboot
