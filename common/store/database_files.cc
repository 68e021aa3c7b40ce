#include "common/store/database_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "common/base/bytes.h"
#include "common/base/unique_fd.h"
#include "common/store/database_instance.h"

namespace farboot {
namespace {

namespace fs = std::filesystem;

Errc code_of(const std::error_code& error) {
  if (error == std::errc::permission_denied) return Errc::denied;
  if (error == std::errc::no_space_on_device) return Errc::exhausted;
  return Errc::unavailable;
}

/// Refuses a folder that holds files but no database: it is somebody else's.
Result<void> check_empty(const std::string& folder) {
  std::error_code error;
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

}  // namespace

Result<void> check_database_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return fail(code_of(error), "database {}: cannot make the folder: {}", folder, error.message());
  }
  const bool database = fs::exists(fs::path(folder) / "CURRENT", error);
  if (error) return fail(Errc::denied, "database {}: {}", folder, error.message());
  if (!database) return check_empty(folder);
  std::vector<std::string> found;
  const auto status = rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), folder, &found);
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

DatabaseFiles database_files(const std::string& folder) {
  DatabaseFiles files;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    struct stat info = {};
    if (::stat(file.path().c_str(), &info) != 0) continue;
    const auto allocated = static_cast<std::uint64_t>(info.st_blocks) * 512;
    const auto kind = file.path().extension();
    files.disk_bytes += allocated;
    if (kind == ".sst") files.table_bytes += allocated;
    if (kind != ".log") continue;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    files.log_bytes += size;
    files.log_ahead_bytes += allocated - std::min(allocated, size);
  }
  return files;
}

void give_back_log_space(const std::string& folder) {
  rocksdb::FileLock* lock = nullptr;
  auto* env = rocksdb::Env::Default();
  if (!env->LockFile(folder + "/LOCK", &lock).ok()) return;  // open elsewhere: not ours to touch
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    struct stat info = {};
    if (file.path().extension() != ".log" || ::stat(file.path().c_str(), &info) != 0) continue;
    if (::truncate(file.path().c_str(), info.st_size) != 0) continue;  // then it stays taken
  }
  env->UnlockFile(lock).PermitUncheckedError();
}

void drop_database_page_cache(const std::string& folder) {
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    if (file.path().extension() != ".sst") continue;
    const UniqueFd fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

}  // namespace farboot
