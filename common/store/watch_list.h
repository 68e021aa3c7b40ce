// Who wants to hear of which keys. Shared by the state stores.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "common/store/state_store.h"

namespace farboot {

struct StateChange {
  StateEntry entry;
  bool erased = false;
};

class WatchList {
 public:
  WatchList();
  /// The watch may outlive the list.
  std::unique_ptr<StateStore::Watch> add(std::string prefix, StateStore::Watcher watcher);
  /// Calls the watchers, in the order of `changes`. The caller keeps commits in order.
  void notify(std::span<const StateChange> changes) const;

 private:
  struct Entry {
    std::string prefix;
    StateStore::Watcher watcher;
  };
  /// Calls are made with the mutex held: that is what lets ~Watch wait for a call under way.
  struct State {
    std::mutex mutex;
    std::list<Entry> entries;
  };
  class Handle;
  std::shared_ptr<State> state_;
};

/// Keys and values within their limits. Errors: invalid.
Result<void> check_limits(const Transaction& transaction);

}  // namespace farboot
