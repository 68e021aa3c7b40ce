// The state store's twin in memory: the same contract and the same test suite.
#pragma once

#include <map>
#include <mutex>

#include "common/store/state_store.h"
#include "common/store/watch_list.h"

namespace farboot {

class MemoryState final : public StateStore {
 public:
  Result<std::optional<StateEntry>> get(std::string_view key) const override;
  Result<std::vector<StateEntry>> scan(std::string_view prefix) const override;
  Result<std::uint64_t> commit(const Transaction& transaction) override;
  std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) override;

 private:
  std::mutex order_;  ///< held over a commit and its notifications: watchers hear in commit order
  mutable std::mutex mutex_;
  std::map<std::string, StateEntry, std::less<>> entries_;
  std::uint64_t revision_ = 0;
  WatchList watches_;
};

}  // namespace farboot
