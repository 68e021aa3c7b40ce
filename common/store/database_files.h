// The folder of the database, seen from outside: whose it is, what it takes, how much more it may
// need.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/store/database_batch.h"

namespace farboot {

/// On disk: never reuse a name. Order of enum Family.
inline constexpr std::array<std::string_view, kFamilies> kFamilyNames = {"default", "chunks",
                                                                         "small", "packs", "state"};

/// Most that is rewritten at once in the background, all of it before any of it is given back.
inline constexpr std::uint64_t kRewriteBytesMax = 64u << 20;

/// Makes the folder where there is none. Refuses one that holds files but no database, or the
/// database of another program or a newer version. Errors: invalid, denied, exhausted, unavailable.
Result<void> check_database_folder(const std::string& folder);

struct DatabaseFiles {
  std::uint64_t disk_bytes = 0;       ///< allocated
  std::uint64_t table_bytes = 0;      ///< of it, in tables
  std::uint64_t log_bytes = 0;        ///< in write-ahead logs, which opening turns into tables
  std::uint64_t log_ahead_bytes = 0;  ///< allocated by the logs beyond that
};
DatabaseFiles database_files(const std::string& folder);

/// Gives back what the logs of a database that is not open took ahead: opening it may need that.
void give_back_log_space(const std::string& folder);

/// Makes the next reads come from the disk: drops the table files from the page cache.
void drop_database_page_cache(const std::string& folder);

}  // namespace farboot
