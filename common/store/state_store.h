// Small state by key: what a daemon must not forget. The embedded one lies in the daemon's RocksDB;
// on a controller it can later be etcd, so nothing here may promise more than etcd keeps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace farboot {

inline constexpr std::size_t kStateKeyBytesMax = 512;
inline constexpr std::size_t kStateValueBytesMax = 16u << 20;

struct StateEntry {
  std::string key;
  std::string value;
  std::uint64_t revision =
      0;  ///< store-wide, grows with each commit; the commit that last wrote the key
  bool operator==(const StateEntry&) const = default;
};

/// All or nothing. Expectations first, then writes in order.
struct Transaction {
  struct Expect {
    std::string key;
    std::uint64_t revision = 0;  ///< 0: the key must not exist
  };
  struct Write {
    std::string key;
    std::optional<std::string> value;  ///< none: erase
  };
  std::vector<Expect> expects;
  std::vector<Write> writes;

  Transaction& expect(std::string key, std::uint64_t revision) {
    expects.push_back({std::move(key), revision});
    return *this;
  }
  Transaction& put(std::string key, std::string value) {
    writes.push_back({std::move(key), std::move(value)});
    return *this;
  }
  Transaction& erase(std::string key) {
    writes.push_back({std::move(key), std::nullopt});
    return *this;
  }
};

/// A commit that met another's change is worked out anew so often before the caller hears of it.
constexpr int kConflictRetriesMax = 8;

/// Thread-safe. May block on the disk.
class StateStore {
 public:
  /// Ends the watch when destroyed; no call of the watcher is under way after the destructor
  /// returns.
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  /// Called once per committed change under the prefix, in commit order, after the commit is
  /// durable, on a committing thread. Must be quick and must not call the store.
  using Watcher = std::function<void(const StateEntry& entry, bool erased)>;

  virtual ~StateStore() = default;

  virtual Result<std::optional<StateEntry>> get(std::string_view key) const = 0;
  /// In key order.
  virtual Result<std::vector<StateEntry>> scan(std::string_view prefix) const = 0;
  /// Durable when it returns. Returns the commit's revision. Errors: conflict (an expectation
  /// failed: nothing was written), exhausted, invalid (key or value too long).
  virtual Result<std::uint64_t> commit(const Transaction& transaction) = 0;
  virtual std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) = 0;

  Result<std::uint64_t> put(std::string key, std::string value) {
    return commit(Transaction{}.put(std::move(key), std::move(value)));
  }
};

}  // namespace farboot
