#include "common/store/database_instance.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include "common/base/log.h"
#include "common/store/database_files.h"

namespace farboot {
namespace {

constexpr std::uint64_t kWalBytesMax = 8u << 20;  ///< replayed at open: bounds the time it takes
constexpr std::size_t kOpenFilesMax = 64;         ///< table files
constexpr std::size_t kArenaBytes = 64 * 1024;    ///< a family's smallest bite of memory
constexpr std::size_t kTableBytes = 8u << 20;
constexpr std::size_t kManifestBytesMax = 4u << 20;
constexpr std::size_t kManifestAheadBytes = 64 * 1024;

/// RocksDB's own words, into our log. Its log file would be one more thing that grows, and a full
/// disk at the moment it turns over ends the process.
class Words : public rocksdb::Logger {
 public:
  Words() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
  }
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level >= rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    char text[1000];
    if (std::vsnprintf(text, sizeof text, format, arguments) < 0) return;
    log::debug("store.database_said", log::kv("text", text));
  }
};

/// Leaves out of a log what was written to it but refused to the writer.
class Acknowledged : public rocksdb::WalFilter {
 public:
  explicit Acknowledged(std::uint64_t sequence_max) : sequence_max_(sequence_max) {}
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&,
                                     const rocksdb::WriteBatch& batch, rocksdb::WriteBatch*,
                                     bool*) override {
    // A batch begins with the number of its first change: 8 bytes, little-endian.
    const std::string& bytes = batch.Data();
    std::uint64_t sequence = 0;
    for (std::size_t i = 8; i-- > 0 && bytes.size() >= 8;) {
      sequence = sequence << 8 | static_cast<std::uint8_t>(bytes[i]);
    }
    return sequence > sequence_max_ ? WalProcessingOption::kIgnoreCurrentRecord
                                    : WalProcessingOption::kContinueProcessing;
  }
  const char* Name() const override { return "farboot acknowledged"; }

 private:
  std::uint64_t sequence_max_;
};

rocksdb::DBOptions db_options(const DatabaseOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  db.max_open_files = kOpenFilesMax;
  db.max_background_jobs = 2;
  db.max_bgerror_resume_count = 0;
  db.db_write_buffer_size = options.write_buffer_bytes;
  db.max_total_wal_size = kWalBytesMax;
  db.info_log = std::make_shared<Words>();
  // Nothing is written while nothing happens: an SD card lives longer.
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.max_manifest_file_size = kManifestBytesMax;
  // The log takes the space of what will go into it ahead, a write buffer at a time: when others
  // fill the disk, small changes still find theirs.
  db.allow_fallocate = true;
  db.manifest_preallocation_size = kManifestAheadBytes;
  return db;
}

rocksdb::ColumnFamilyOptions family_options(const DatabaseOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache,
                                            Family family) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Index and filter blocks count against the cache: memory does not grow with the store.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = false;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));

  rocksdb::ColumnFamilyOptions column;
  column.write_buffer_size = options.write_buffer_bytes / 2;
  column.max_write_buffer_number = 2;
  column.arena_block_size = kArenaBytes;
  column.target_file_size_base = kTableBytes;
  column.max_bytes_for_level_base = 4 * kTableBytes;
  column.max_compaction_bytes = kRewriteBytesMax;
  column.compression = rocksdb::kNoCompression;
  column.bottommost_compression = rocksdb::kNoCompression;
  // A small chunk goes to the client from the page cache; a second copy here would only push the
  // index out.
  if (family == Family::small) table.no_block_cache = true;
  if (family == Family::small) table.cache_index_and_filter_blocks = false;
  if (family == Family::small) table.block_cache = nullptr;
  column.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return column;
}

}  // namespace

Error to_error(std::string_view subject, const rocksdb::Status& status) {
  Errc code = Errc::internal;
  if (status.IsNotFound())
    code = Errc::not_found;
  else if (status.IsCorruption())
    code = Errc::corrupt;
  else if (status.IsNoSpace())
    code = Errc::exhausted;
  else if (status.IsInvalidArgument() || status.IsNotSupported())
    code = Errc::invalid;
  else if (status.IsIOError() || status.IsBusy() || status.IsTryAgain())
    code = Errc::unavailable;
  else if (status.IsShutdownInProgress() || status.IsAborted())
    code = Errc::cancelled;
  const std::string text = status.ToString();
  // RocksDB reports a refused lock as a plain I/O error.
  if (status.IsIOError() && text.find("lock") != std::string::npos) {
    return fail(Errc::conflict, "{}: another process has it open ({})", subject, printable(text));
  }
  return fail(code, "{}: {}", subject, printable(text));
}

/// Hears of every error, and makes each one final.
class DatabaseInstance::Watcher : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    fail(*status, reason == rocksdb::BackgroundErrorReason::kCompaction);
    if (status->severity() < rocksdb::Status::kHardError) {
      *status = rocksdb::Status(*status, rocksdb::Status::kHardError);
    }
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void fail(const rocksdb::Status& status, bool rewriting) {
    if (rewriting) failed_rewriting_ = true;
    if (failed_.exchange(true)) return;
    log::error("store.database_failed", log::kv("error", status.ToString()),
               log::kv("while", rewriting ? "rewriting tables" : "writing"));
  }
  bool failed() const { return failed_; }
  bool failed_rewriting() const { return failed_rewriting_; }

 private:
  std::atomic<bool> failed_ = false;
  std::atomic<bool> failed_rewriting_ = false;
};

DatabaseInstance::DatabaseInstance() : watcher_(std::make_shared<Watcher>()) {}

Result<std::unique_ptr<DatabaseInstance>> DatabaseInstance::open(const std::string& folder,
                                                                 const DatabaseOptions& options,
                                                                 How how) {
  std::unique_ptr<DatabaseInstance> instance(new DatabaseInstance());
  rocksdb::DBOptions db = db_options(options);
  db.listeners.push_back(instance->watcher_);
  if (how.sequence_max) instance->filter_ = std::make_unique<Acknowledged>(*how.sequence_max);
  db.wal_filter = instance->filter_.get();

  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, 2);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    families.emplace_back(std::string(kFamilyNames[i]),
                          family_options(options, cache, static_cast<Family>(i)));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status;
  if (how.read_only) {
    status = rocksdb::Env::Default()->LockFile(folder + "/LOCK", &instance->lock_);
    if (!status.ok()) return to_error("database " + folder, status);
    status = rocksdb::DB::OpenForReadOnly(db, folder, families, &handles, &opened);
  } else {
    status = rocksdb::DB::Open(db, folder, families, &handles, &opened);
  }
  if (!status.ok()) return to_error("database " + folder, status);
  instance->db_.reset(opened);
  std::copy(handles.begin(), handles.end(), instance->handles_.begin());
  return instance;
}

DatabaseInstance::~DatabaseInstance() {
  if (db_) {
    for (auto* handle : handles_) {
      if (handle != nullptr) db_->DestroyColumnFamilyHandle(handle);
    }
    const auto status = db_->Close();
    if (!status.ok() && !failed()) {
      log::warn("store.close_failed", log::kv("error", status.ToString()));
    }
    db_.reset();
  }
  if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
}

rocksdb::Status DatabaseInstance::write(const DatabaseBatch& batch) {
  rocksdb::WriteBatch changes;
  rocksdb::Status status;
  for (const DatabaseBatch::Change& change : batch.changes()) {
    auto* family = handle(change.family);
    switch (change.kind) {
      case DatabaseBatch::Kind::put: status = changes.Put(family, change.key, change.value); break;
      case DatabaseBatch::Kind::erase: status = changes.Delete(family, change.key); break;
    }
    if (!status.ok()) return status;
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  status = db_->Write(options, &changes);
  if (!status.ok()) watcher_->fail(status, false);
  return status;
}

rocksdb::Status DatabaseInstance::flush(Family family) {
  auto status = db_->Flush(rocksdb::FlushOptions(), handle(family));
  if (!status.ok()) watcher_->fail(status, false);
  return status;
}

bool DatabaseInstance::failed() const { return watcher_->failed(); }
bool DatabaseInstance::failed_rewriting() const { return watcher_->failed_rewriting(); }
std::uint64_t DatabaseInstance::sequence() const { return db_->GetLatestSequenceNumber(); }

void DatabaseInstance::quiesce() { rocksdb::CancelAllBackgroundWork(db_.get(), true); }

}  // namespace farboot
