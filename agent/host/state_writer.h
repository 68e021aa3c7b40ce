// Small durable writes from the loop: in the order they were given, many in one commit, never on
// the loop's thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/base/result.h"
#include "common/store/state_store.h"

namespace farboot {

/// Everything on the loop. Must outlive the loop's run.
class StateWriter {
 public:
  /// Writes of at most this many transactions go into one commit.
  static constexpr std::size_t kBatchMax = 256;

  StateWriter(Loop& loop, DiskPool& disk, StateStore& state, const Clock& clock);

  /// Returns when the writes are durable, or the reason why they are not. A rack that powers on at
  /// once costs a few commits, not hundreds. Expectations are not for this: there is one writer.
  Task<Result<void>> write(Transaction writes);
  /// The same, not waited for: a failure is logged.
  void write_later(Transaction writes);
  /// What could not be written (a full disk) is not lost: it goes before the next writes, the last
  /// value of each key. This tries now.
  void retry();
  /// Waits until all that was given before is durable, or the last try failed.
  Task<Result<void>> flush();

 private:
  struct Pending;
  std::shared_ptr<Pending> enqueue(Transaction writes);
  Task<Result<void>> wait(std::shared_ptr<Pending> pending);
  Task<void> drain();
  void keep(Transaction failed);

  Loop& loop_;
  DiskPool& disk_;
  StateStore& state_;
  const Clock& clock_;
  LogLimit failed_;  ///< what machines ask for is tried each time
  std::deque<std::shared_ptr<Pending>> queue_;
  std::map<std::string, std::optional<std::string>> unwritten_;
  /// Shared: a drain that the loop's end cuts off may outlive us by a moment.
  std::shared_ptr<bool> draining_ = std::make_shared<bool>(false);
};

}  // namespace farboot
