// A state store that stops to take writes when a test says so.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/store/state_store.h"

namespace farboot::testing {

/// State that can be told to fail, as a full disk does.
class FallibleState final : public StateStore {
 public:
  explicit FallibleState(StateStore& inner) : inner_(inner) {}
  Result<std::optional<StateEntry>> get(std::string_view key) const override {
    return inner_.get(key);
  }
  Result<std::vector<StateEntry>> scan(std::string_view prefix) const override {
    return inner_.scan(prefix);
  }
  Result<std::uint64_t> commit(const Transaction& transaction) override {
    if (full || commits_left == 0) return fail(Errc::exhausted, "disk full");
    if (commits_left > 0) --commits_left;
    return inner_.commit(transaction);
  }
  std::unique_ptr<Watch> watch(std::string prefix, Watcher watcher) override {
    return inner_.watch(std::move(prefix), std::move(watcher));
  }
  std::atomic<bool> full = false;
  std::atomic<int> commits_left = -1;  ///< then it is full; below 0: any number

 private:
  StateStore& inner_;
};

}  // namespace farboot::testing
