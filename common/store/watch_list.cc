#include "common/store/watch_list.h"

#include "common/base/bytes.h"

namespace farboot {

class WatchList::Handle final : public StateStore::Watch {
 public:
  Handle(std::shared_ptr<State> state, std::list<Entry>::iterator entry)
      : state_(std::move(state)), entry_(entry) {}
  ~Handle() override {
    const std::lock_guard lock(state_->mutex);
    state_->entries.erase(entry_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::shared_ptr<State> state_;
  std::list<Entry>::iterator entry_;
};

WatchList::WatchList() : state_(std::make_shared<State>()) {}

std::unique_ptr<StateStore::Watch> WatchList::add(std::string prefix, StateStore::Watcher watcher) {
  const std::lock_guard lock(state_->mutex);
  const auto entry =
      state_->entries.insert(state_->entries.end(), {std::move(prefix), std::move(watcher)});
  return std::make_unique<Handle>(state_, entry);
}

void WatchList::notify(std::span<const StateChange> changes) const {
  const std::lock_guard lock(state_->mutex);
  for (const StateChange& change : changes) {
    for (const Entry& entry : state_->entries) {
      if (change.entry.key.starts_with(entry.prefix)) entry.watcher(change.entry, change.erased);
    }
  }
}

Result<void> check_limits(const Transaction& transaction) {
  const auto check_key = [](const std::string& key) -> Result<void> {
    if (key.empty() || key.size() > kStateKeyBytesMax) {
      return fail(Errc::invalid, "state key {}: {} bytes, 1 to {} are allowed", printable(key, 40),
                  key.size(), kStateKeyBytesMax);
    }
    return {};
  };
  for (const auto& expect : transaction.expects) {
    if (auto ok = check_key(expect.key); !ok) return ok.error();
  }
  for (const auto& write : transaction.writes) {
    if (auto ok = check_key(write.key); !ok) return ok.error();
    if (write.value && write.value->size() > kStateValueBytesMax) {
      return fail(Errc::invalid, "state key {}: value of {} bytes, at most {} are allowed",
                  printable(write.key, 100), write.value->size(), kStateValueBytesMax);
    }
  }
  return {};
}

}  // namespace farboot
