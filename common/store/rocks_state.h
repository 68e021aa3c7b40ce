// StateStore in the daemon's RocksDB.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "common/store/database.h"
#include "common/store/state_store.h"
#include "common/store/watch_list.h"

namespace farboot {

class RocksState final : public StateStore {
 public:
  /// Borrows `database`, which must outlive it; at most one per database.
  static Result<std::unique_ptr<RocksState>> open(Database& database);

  Result<std::optional<StateEntry>> get(std::string_view key) const override;
  Result<std::vector<StateEntry>> scan(std::string_view prefix) const override;
  Result<std::uint64_t> commit(const Transaction& transaction) override;
  std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) override;

 private:
  explicit RocksState(Database& database) : database_(database) {}

  /// A commit waiting for its turn. Lives on the committer's stack.
  struct Waiting {
    const Transaction* transaction;
    Result<std::uint64_t> outcome = std::uint64_t{0};
    bool done = false;
  };
  class Group;
  void commit_group(std::vector<Waiting*>& group);

  Database& database_;
  WatchList watches_;
  std::uint64_t revision_ = 0;  ///< touched only by the leader
  std::mutex mutex_;
  std::condition_variable turn_;
  std::deque<Waiting*> queue_;
  bool leading_ = false;
};

}  // namespace farboot
