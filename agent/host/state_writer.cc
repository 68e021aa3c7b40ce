#include "agent/host/state_writer.h"

#include <iterator>
#include <utility>
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

StateWriter::StateWriter(Loop& loop, DiskPool& disk, StateStore& state, const Clock& clock)
    : loop_(loop), disk_(disk), state_(state), clock_(clock) {}

std::shared_ptr<StateWriter::Pending> StateWriter::enqueue(Transaction writes) {
  auto pending = std::make_shared<Pending>(loop_, std::move(writes));
  queue_.push_back(pending);
  if (!*draining_) {
    *draining_ = true;
    spawn(loop_, "host.write", drain());
  }
  return pending;
}

Task<Result<void>> StateWriter::wait(std::shared_ptr<Pending> pending) {
  while (!pending->result) {
    // Only cancel() ends this wait.
    co_await pending->done.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
  const Result<void> outcome = *pending->result;
  co_return outcome;
}

Task<Result<void>> StateWriter::write(Transaction writes) {
  const Result<void> nothing_to_do;
  if (writes.writes.empty()) co_return nothing_to_do;
  co_return co_await wait(enqueue(std::move(writes)));
}

void StateWriter::write_later(Transaction writes) {
  if (!writes.writes.empty()) enqueue(std::move(writes));
}

void StateWriter::retry() {
  if (!unwritten_.empty()) enqueue({});
}

Task<Result<void>> StateWriter::flush() {
  auto last = enqueue(Transaction());
  co_return co_await wait(std::move(last));
}

void StateWriter::keep(Transaction failed) {
  for (Transaction::Write& write : failed.writes)
    unwritten_[std::move(write.key)] = std::move(write.value);
}

Task<void> StateWriter::drain() {
  struct Over {
    std::shared_ptr<bool> draining;
    ~Over() { *draining = false; }
  } over{draining_};
  while (!queue_.empty()) {
    std::vector<std::shared_ptr<Pending>> batch;
    auto all = std::make_shared<Transaction>();
    for (auto& [key, value] : std::exchange(unwritten_, {}))
      all->writes.push_back({key, std::move(value)});
    for (; !queue_.empty() && batch.size() < kBatchMax; queue_.pop_front()) {
      batch.push_back(queue_.front());
      std::move(batch.back()->writes.writes.begin(), batch.back()->writes.writes.end(),
                std::back_inserter(all->writes));
    }
    StateStore* state = &state_;
    auto job = [state, all]() -> Result<void> {
      if (all->writes.empty()) return {};
      auto committed = state->commit(*all);
      if (!committed) return committed.error();
      return {};
    };
    const Result<void> outcome = co_await on_disk(disk_, std::move(job));
    if (!outcome) {
      if (const auto left_out = failed_.take(clock_.steady()))
        log::error("host.write_failed", log::kv("writes", all->writes.size()),
                   log::kv("error", outcome.error().what), log::kv("left_out", *left_out));
      // What can never be written must not stop all that follows.
      if (outcome.error().code != Errc::invalid) keep(std::move(*all));
    }
    for (const auto& pending : batch) {
      pending->result = outcome;
      pending->done.cancel();
    }
  }
}

}  // namespace farboot
