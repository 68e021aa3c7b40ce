// Changes of the database that become durable together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

/// Keys are erased one by one. RocksDB can erase a range, but when it rewrites tables of which
/// nothing but erased ranges is left and finds the disk full, Debian's library ends the process
/// (7.8, CompactionState::SmallestUserKey of a table without keys).
class DatabaseBatch {
 public:
  enum class Kind : std::uint8_t {
    put,
    erase
  };
  struct Change {
    Kind kind;
    Family family;
    std::string key;
    std::string value;  ///< of a put
  };

  void put(Family family, std::string_view key, std::string_view value) {
    add(Kind::put, family, key, value);
  }
  void erase(Family family, std::string_view key) { add(Kind::erase, family, key, {}); }

  bool empty() const { return changes_.empty(); }
  /// Of all keys and values.
  std::uint64_t size_bytes() const { return size_bytes_; }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  void add(Kind kind, Family family, std::string_view key, std::string_view value) {
    changes_.push_back({kind, family, std::string(key), std::string(value)});
    size_bytes_ += key.size() + value.size();
  }

  std::vector<Change> changes_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace farboot
