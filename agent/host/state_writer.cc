#include "agent/host/state_writer.h"

#include <iterator>
#include <optional>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

namespace farboot {

struct StateWriter::Pending {
  Pending(Loop& loop, Transaction what)
      : writes(std::move(what)), done(loop, boost::asio::steady_timer::time_point::max()) {}
  Transaction writes;
  boost::asio::steady_timer done;  ///< cancelled when `result` is there
  std::optional<Result<void>> result;
};

StateWriter::StateWriter(Loop& loop, DiskPool& disk, StateStore& state)
    : loop_(loop), disk_(disk), state_(state) {}

std::shared_ptr<StateWriter::Pending> StateWriter::enqueue(Transaction writes) {
  auto pending = std::make_shared<Pending>(loop_, std::move(writes));
  queue_.push_back(pending);
  if (!*draining_) {
    *draining_ = true;
    spawn(loop_, "host.write", drain());
  }
  return pending;
}

Task<Result<void>> StateWriter::write(Transaction writes) {
  Result<void> outcome;
  if (writes.writes.empty()) co_return outcome;
  const auto pending = enqueue(std::move(writes));
  while (!pending->result) {
    // Only cancel() ends this wait.
    co_await pending->done.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
  outcome = *pending->result;
  co_return outcome;
}

void StateWriter::write_later(Transaction writes) {
  if (!writes.writes.empty()) enqueue(std::move(writes));
}

Task<void> StateWriter::drain() {
  struct Over {
    std::shared_ptr<bool> draining;
    ~Over() { *draining = false; }
  } over{draining_};
  while (!queue_.empty()) {
    std::vector<std::shared_ptr<Pending>> batch;
    Transaction all;
    for (; !queue_.empty() && batch.size() < kBatchMax; queue_.pop_front()) {
      batch.push_back(queue_.front());
      std::move(batch.back()->writes.writes.begin(), batch.back()->writes.writes.end(),
                std::back_inserter(all.writes));
    }
    StateStore* state = &state_;
    auto job = [state, all = std::move(all)]() -> Result<void> {
      auto committed = state->commit(all);
      if (!committed) return committed.error();
      return {};
    };
    const Result<void> outcome = co_await on_disk(disk_, std::move(job));
    if (!outcome)
      log::error("host.write_failed", log::kv("writes", batch.size()),
                 log::kv("error", outcome.error().what));
    for (const auto& pending : batch) {
      pending->result = outcome;
      pending->done.cancel();
    }
  }
}

}  // namespace farboot
