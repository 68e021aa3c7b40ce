#include "common/store/database.h"

#include <algorithm>
#include <utility>

#include <rocksdb/db.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/database_files.h"
#include "common/store/free_space.h"

namespace farboot {
namespace {

constexpr std::string_view kFormatKey = "format";

/// Left free beside what is about to be written: for a new log, a manifest, a table from memory.
constexpr std::uint64_t kRoomBytes = 1u << 20;
/// A change this small goes into space that the log took ahead: it is tried on a full disk too.
constexpr std::uint64_t kSmallWriteBytes = 64 * 1024;

/// Rows being looked at by this thread: writing now could wait for itself.
thread_local int scans_under_way = 0;
class ScanMark {
 public:
  ScanMark() { ++scans_under_way; }
  ~ScanMark() { --scans_under_way; }
  ScanMark(const ScanMark&) = delete;
  ScanMark& operator=(const ScanMark&) = delete;
};

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

Error unreadable(const std::string& folder) {
  return fail(Errc::unavailable, "database {}: cannot be opened", folder);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& folder,
                                                 DatabaseOptions options) {
  if (auto ok = check_database_folder(folder); !ok) return ok.error();
  std::unique_ptr<Database> database(new Database(folder, options));
  auto up = database->bring_up();
  if (!database->instance_) return up.error();
  if (auto ok = database->check_format(); !ok) return ok.error();
  return database;
}

Database::~Database() = default;

Result<void> Database::check_format() {
  auto format = get(Family::meta, kFormatKey);
  if (!format) return format.error();
  if (*format && **format == kDatabaseFormat) return {};
  if (*format) {
    return fail(Errc::invalid, "database {}: format {}, this version reads {}", folder_,
                printable(**format), kDatabaseFormat);
  }
  DatabaseBatch batch;
  batch.put(Family::meta, kFormatKey, kDatabaseFormat);
  return write(batch);
}

Result<void> Database::room_to_open() const {
  auto space = free_space(folder_);
  if (!space) return prefix("database", space.error());
  if (space->read_only) {
    return fail(Errc::unavailable, "database {}: the file system is read-only", folder_);
  }
  const DatabaseFiles files = database_files(folder_);
  std::uint64_t wanted = kRoomBytes + files.log_bytes;
  if (wants_rewrite_) wanted += std::min(files.table_bytes, kRewriteBytesMax);
  if (space->available_bytes + files.log_ahead_bytes >= wanted) return {};
  return fail(
      Errc::exhausted,
      "database {}: {} bytes free on the file system and {} in its logs, {} needed to write "
      "again",
      folder_, space->available_bytes, files.log_ahead_bytes, wanted);
}

/// Opens for writing if there is room, else for reading only; then the error says why.
Result<void> Database::bring_up() {
  auto done = room_to_open();
  if (done) {
    give_back_log_space(folder_);
    auto opened = DatabaseInstance::open(folder_, options_,
                                         {.read_only = false, .sequence_max = sequence_max_});
    if (opened) {
      instance_ = std::move(*opened);
      // The change last refused is left out for good: the log that holds it is done with.
      sequence_max_.reset();
      return {};
    }
    done = opened.error();
    if (opened.error().code != Errc::exhausted && opened.error().code != Errc::unavailable) {
      return done;
    }
    if (auto room = room_to_open(); !room) done = room;  // says it with the numbers
  }
  auto readable =
      DatabaseInstance::open(folder_, options_, {.read_only = true, .sequence_max = sequence_max_});
  if (readable) {
    instance_ = std::move(*readable);
    log::error("store.database_read_only", log::kv("error", done.error().what));
  } else if (readable.error().code == Errc::conflict) {
    return readable.error();
  }
  return done;
}

Result<void> Database::reopen() {
  if (auto room = room_to_open(); !room) return room;
  if (instance_ && !instance_->read_only()) {
    instance_->quiesce();
    sequence_max_ = instance_->sequence();
  }
  const std::unique_lock readers_wait(instance_mutex_);
  instance_.reset();
  if (auto up = bring_up(); !up) return up;
  wants_rewrite_ = false;
  log::info("store.database_reopened", log::kv("folder", folder_));
  return {};
}

Result<void> Database::ready(std::uint64_t size_bytes) {
  FARBOOT_CHECK(scans_under_way == 0);
  if (instance_ && instance_->failed_rewriting()) wants_rewrite_ = true;
  if (!instance_ || instance_->read_only() || instance_->failed()) return reopen();
  if (size_bytes <= kSmallWriteBytes) return {};
  auto space = free_space(folder_);
  if (!space) return prefix("database", space.error());
  if (space->available_bytes >= size_bytes + kRoomBytes) return {};
  return fail(Errc::exhausted,
              "database {}: {} bytes free on the file system, {} needed to write {}", folder_,
              space->available_bytes, size_bytes + kRoomBytes, size_bytes);
}

Result<void> Database::make_writable(std::uint64_t size_bytes) {
  const std::lock_guard lock(write_mutex_);
  return ready(size_bytes);
}

Error Database::refused(const rocksdb::Status& status) const {
  Error error = to_error("database " + folder_, status);
  auto space = free_space(folder_);
  if (!space || error.code != Errc::exhausted) return error;
  return fail(Errc::exhausted, "{} ({} bytes free on the file system)", error.what,
              space->available_bytes);
}

template <class Change>
Result<void> Database::change(std::uint64_t size_bytes, const Change& apply) {
  const std::lock_guard lock(write_mutex_);
  if (auto ok = ready(size_bytes); !ok) return ok;
  auto status = apply(*instance_);
  if (status.ok()) return {};
  // It may be an earlier failure in the background that is only told now: if there is space again
  // since, nothing is refused for it.
  if (!ready(size_bytes)) return refused(status);
  status = apply(*instance_);
  if (!status.ok()) return refused(status);
  return {};
}

Result<void> Database::write(const DatabaseBatch& batch) {
  return change(batch.size_bytes(),
                [&](DatabaseInstance& instance) { return instance.write(batch); });
}

Result<void> Database::flush(Family family) {
  return change(table_bytes_max(),
                [&](DatabaseInstance& instance) { return instance.flush(family); });
}

Result<std::optional<std::string>> Database::get(Family family, std::string_view key) const {
  const std::shared_lock lock(instance_mutex_);
  if (!instance_) return unreadable(folder_);
  std::string value;
  const auto status =
      instance_->db().Get(rocksdb::ReadOptions(), instance_->handle(family), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return to_error("database", status);
  return std::optional<std::string>(std::move(value));
}

Result<void> Database::scan(Family family, std::string_view prefix, const Row& row) const {
  return scan_from(family, prefix, [&](std::string_view key, std::string_view value) {
    return key.starts_with(prefix) && row(key, value);
  });
}

Result<void> Database::scan_from(Family family, std::string_view start, const Row& row) const {
  const ScanMark mark;
  const std::shared_lock lock(instance_mutex_);
  if (!instance_) return unreadable(folder_);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(
      instance_->db().NewIterator(options, instance_->handle(family)));
  for (it->Seek(slice(start)); it->Valid(); it->Next()) {
    if (!row(it->key().ToStringView(), it->value().ToStringView())) return {};
  }
  if (!it->status().ok()) return to_error("database", it->status());
  return {};
}

void Database::drop_page_cache() const { drop_database_page_cache(folder_); }

std::uint64_t Database::disk_bytes() const { return database_files(folder_).disk_bytes; }

std::uint64_t Database::room_bytes() const {
  return kRoomBytes + table_bytes_max() +
         std::min(database_files(folder_).table_bytes, kRewriteBytesMax);
}

}  // namespace farboot
