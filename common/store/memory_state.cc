#include "common/store/memory_state.h"

#include "common/base/bytes.h"

namespace farboot {

Result<std::optional<StateEntry>> MemoryState::get(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) return std::optional<StateEntry>();
  return std::optional<StateEntry>(it->second);
}

Result<std::vector<StateEntry>> MemoryState::scan(std::string_view prefix) const {
  const std::lock_guard lock(mutex_);
  std::vector<StateEntry> found;
  for (auto it = entries_.lower_bound(prefix); it != entries_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    found.push_back(it->second);
  }
  return found;
}

Result<std::uint64_t> MemoryState::commit(const Transaction& transaction) {
  if (auto ok = check_limits(transaction); !ok) return ok.error();
  const std::lock_guard order(order_);
  std::vector<StateChange> changes;
  std::uint64_t revision = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& expect : transaction.expects) {
      const auto it = entries_.find(expect.key);
      const std::uint64_t found = it == entries_.end() ? 0 : it->second.revision;
      if (found == expect.revision) continue;
      return fail(Errc::conflict, "state key {}: revision {}, expected {}",
                  printable(expect.key, 100), found, expect.revision);
    }
    if (transaction.writes.empty()) return revision_;
    revision = ++revision_;
    for (const auto& write : transaction.writes) {
      const bool existed = entries_.contains(write.key);
      StateEntry entry{write.key, write.value.value_or(""), revision};
      if (write.value) {
        entries_[write.key] = entry;
      } else if (existed) {
        entries_.erase(write.key);
      } else {
        continue;  // nothing changed
      }
      changes.push_back({std::move(entry), !write.value});
    }
  }
  watches_.notify(changes);
  return revision;
}

std::unique_ptr<StateStore::Watch> MemoryState::watch(std::string prefix, Watcher watcher) {
  return watches_.add(std::move(prefix), std::move(watcher));
}

}  // namespace farboot
