#include "common/store/database.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "common/base/log.h"
#include "common/base/unique_fd.h"

namespace farboot {
namespace {

namespace fs = std::filesystem;

// On disk: never reuse a name. Order of enum Family.
constexpr std::array<std::string_view, kFamilies> kFamilyNames = {"default", "chunks", "small",
                                                                  "packs", "state"};
constexpr std::string_view kFormatKey = "format";

constexpr std::uint64_t kWalBytesMax = 8u << 20;   ///< replayed at open: bounds the time it takes
constexpr std::size_t kOpenFilesMax = 64;          ///< table files
constexpr std::size_t kArenaBytes = 64 * 1024;     ///< a family's smallest bite of memory
constexpr std::size_t kInfoLogBytesMax = 1 << 20;  ///< RocksDB's own LOG, twice
constexpr std::size_t kTableBytes = 8u << 20;

rocksdb::DBOptions db_options(const DatabaseOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  db.max_open_files = kOpenFilesMax;
  db.max_background_jobs = 2;
  db.db_write_buffer_size = options.write_buffer_bytes;
  db.max_total_wal_size = kWalBytesMax;
  db.keep_log_file_num = 2;
  db.max_log_file_size = kInfoLogBytesMax;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  // Nothing is written while nothing happens: an SD card lives longer.
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.max_manifest_file_size = 4u << 20;
  db.allow_fallocate = false;  // what is allocated is what is used: budgets count it
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

/// Refuses a folder that holds files but no database: it is somebody else's.
Result<void> check_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    const auto code = error == std::errc::permission_denied ? Errc::denied : Errc::unavailable;
    return fail(code, "database {}: cannot make the folder: {}", folder, error.message());
  }
  const bool database = fs::exists(fs::path(folder) / "CURRENT", error);
  if (error) return fail(Errc::denied, "database {}: {}", folder, error.message());
  if (database) return {};
  fs::directory_iterator files(folder, error);
  if (error) return fail(Errc::denied, "database {}: {}", folder, error.message());
  for (const auto& file : files) {
    const std::string name = file.path().filename();
    // What a first start leaves if the power goes before CURRENT is written.
    if (name == "LOCK" || name == "IDENTITY" || name.starts_with("LOG") ||
        name.starts_with("MANIFEST-") || name.ends_with(".log") || name.ends_with(".dbtmp")) {
      continue;
    }
    return fail(Errc::invalid, "database {}: holds {} but no database: not our folder", folder,
                printable(name));
  }
  return {};
}

/// Refuses a RocksDB that another program, or a newer version of ours, made.
Result<void> check_families(const std::string& folder, const rocksdb::DBOptions& options) {
  std::error_code error;
  if (!fs::exists(fs::path(folder) / "CURRENT", error)) return {};
  std::vector<std::string> found;
  const auto status = rocksdb::DB::ListColumnFamilies(options, folder, &found);
  if (!status.ok()) return to_error("database " + folder, status);
  for (const std::string& name : found) {
    if (std::find(kFamilyNames.begin(), kFamilyNames.end(), name) != kFamilyNames.end()) continue;
    return fail(Errc::invalid,
                "database {}: holds the column family {}: made by another program or a newer "
                "version",
                folder, printable(name));
  }
  return {};
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

Result<std::unique_ptr<Database>> Database::open(const std::string& folder,
                                                 DatabaseOptions options) {
  if (auto ok = check_folder(folder); !ok) return ok.error();
  const rocksdb::DBOptions db = db_options(options);
  if (auto ok = check_families(folder, db); !ok) return ok.error();

  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, 2);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    families.emplace_back(std::string(kFamilyNames[i]),
                          family_options(options, cache, static_cast<Family>(i)));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::Open(db, folder, families, &handles, &opened);
  if (!status.ok()) return to_error("database " + folder, status);

  std::unique_ptr<Database> database(new Database());
  database->folder_ = folder;
  database->db_.reset(opened);
  std::copy(handles.begin(), handles.end(), database->handles_.begin());

  auto format = database->get(Family::meta, kFormatKey);
  if (!format) return format.error();
  if (*format && **format != kDatabaseFormat) {
    return fail(Errc::invalid, "database {}: format {}, this version reads {}", folder,
                printable(**format), kDatabaseFormat);
  }
  if (!*format) {
    rocksdb::WriteBatch batch;
    batch.Put(database->handle(Family::meta), rocksdb::Slice(kFormatKey.data(), kFormatKey.size()),
              rocksdb::Slice(kDatabaseFormat.data(), kDatabaseFormat.size()));
    if (auto ok = database->write(batch); !ok) return ok.error();
  }
  return database;
}

Database::~Database() {
  if (!db_) return;
  for (auto* handle : handles_) {
    if (handle != nullptr) db_->DestroyColumnFamilyHandle(handle);
  }
  const auto status = db_->Close();
  if (!status.ok()) log::warn("store.close_failed", log::kv("error", status.ToString()));
}

Result<std::optional<std::string>> Database::get(Family family, std::string_view key) const {
  std::string value;
  const auto status = db_->Get(rocksdb::ReadOptions(), handle(family),
                               rocksdb::Slice(key.data(), key.size()), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return to_error("database", status);
  return std::optional<std::string>(std::move(value));
}

Result<void> Database::write(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions options;
  options.sync = true;
  auto status = db_->Write(options, &batch);
  if (status.ok()) return {};
  // After a failed write RocksDB refuses all others until told that the cause may be gone. (Of a
  // full disk it finds out by itself, looking every five seconds, and is not told.) If this write
  // was refused for an older failure, it deserves a try of its own.
  if (!db_->Resume().ok()) return to_error("database", status);
  status = db_->Write(options, &batch);
  if (!status.ok()) return to_error("database", status);
  return {};
}

Result<void> Database::scan(Family family, std::string_view prefix, const Row& row) const {
  return scan_from(family, prefix, [&](std::string_view key, std::string_view value) {
    return key.starts_with(prefix) && row(key, value);
  });
}

Result<void> Database::scan_from(Family family, std::string_view start, const Row& row) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, handle(family)));
  for (it->Seek(rocksdb::Slice(start.data(), start.size())); it->Valid(); it->Next()) {
    if (!row(it->key().ToStringView(), it->value().ToStringView())) return {};
  }
  if (!it->status().ok()) return to_error("database", it->status());
  return {};
}

Result<void> Database::flush(Family family) {
  const auto status = db_->Flush(rocksdb::FlushOptions(), handle(family));
  if (!status.ok()) return to_error("database", status);
  return {};
}

void Database::drop_page_cache() const {
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder_, error)) {
    if (file.path().extension() != ".sst") continue;
    const UniqueFd fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

std::uint64_t Database::disk_bytes() const {
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder_, error)) {
    struct stat info = {};
    if (::stat(file.path().c_str(), &info) == 0) {
      total += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
  }
  return total;
}

}  // namespace farboot
