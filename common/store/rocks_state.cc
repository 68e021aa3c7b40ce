#include "common/store/rocks_state.h"

#include <cstring>

#include "common/base/bytes.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kRevisionKey = "state/revision";
/// Commits made durable by one sync.
constexpr std::size_t kGroupMax = 64;
constexpr std::size_t kGroupBytesMax = 4u << 20;

// On disk: revision (8 bytes, little-endian), then the value.
std::string encode(std::uint64_t revision, std::string_view value) {
  std::string row(8, '\0');
  for (int i = 0; i < 8; ++i) row[i] = static_cast<char>(revision >> (8 * i));
  row.append(value);
  return row;
}

Result<std::uint64_t> decode_revision(std::string_view key, std::string_view row) {
  if (row.size() < 8) {
    return fail(Errc::corrupt, "state key {}: row of {} bytes", printable(key, 100), row.size());
  }
  std::uint64_t revision = 0;
  for (int i = 7; i >= 0; --i) {
    revision = revision << 8 | static_cast<std::uint8_t>(row[static_cast<std::size_t>(i)]);
  }
  return revision;
}

std::size_t size_of(const Transaction& transaction) {
  std::size_t bytes = 0;
  for (const auto& write : transaction.writes) {
    bytes += write.key.size() + (write.value ? write.value->size() : 0);
  }
  return bytes;
}

}  // namespace

/// Commits that become durable by one synced write: each sees what those before it wrote.
class RocksState::Group {
 public:
  Group(const Database& database, std::uint64_t revision)
      : database_(database), revision_(revision) {}

  /// Checks and, if all is as expected, adds. Errors: conflict, those of the database.
  Result<std::uint64_t> add(const Transaction& transaction) {
    for (const auto& expect : transaction.expects) {
      auto found = revision_of(expect.key);
      if (!found) return found.error();
      if (*found == expect.revision) continue;
      return fail(Errc::conflict, "state key {}: revision {}, expected {}",
                  printable(expect.key, 100), *found, expect.revision);
    }
    if (transaction.writes.empty()) return revision_;
    // Read before the first write, so that an error leaves nothing of the transaction behind.
    for (const auto& write : transaction.writes) {
      if (auto found = revision_of(write.key); !found) return found.error();
    }
    ++revision_;
    for (const auto& write : transaction.writes) add(write);
    return revision_;
  }

  DatabaseBatch batch() const {
    DatabaseBatch batch;
    for (const StateChange& change : changes_) {
      if (change.erased) {
        batch.erase(Family::state, change.entry.key);
      } else {
        batch.put(Family::state, change.entry.key,
                  encode(change.entry.revision, change.entry.value));
      }
    }
    batch.put(Family::meta, kRevisionKey, encode(revision_, ""));
    return batch;
  }

  std::uint64_t revision() const { return revision_; }
  const std::vector<StateChange>& changes() const { return changes_; }

 private:
  void add(const Transaction::Write& write) {
    std::uint64_t& now = seen_[write.key];
    if (!write.value && now == 0) return;  // nothing to erase
    now = write.value ? revision_ : 0;
    changes_.push_back({{write.key, write.value.value_or(""), revision_}, !write.value});
  }
  /// 0: no such key.
  Result<std::uint64_t> revision_of(const std::string& key) {
    if (const auto it = seen_.find(key); it != seen_.end()) return it->second;
    auto row = database_.get(Family::state, key);
    if (!row) return row.error();
    Result<std::uint64_t> revision = std::uint64_t{0};
    if (*row) revision = decode_revision(key, **row);
    if (revision) seen_[key] = *revision;
    return revision;
  }

  const Database& database_;
  std::uint64_t revision_;
  std::map<std::string, std::uint64_t> seen_;
  std::vector<StateChange> changes_;
};

Result<std::unique_ptr<RocksState>> RocksState::open(Database& database) {
  std::unique_ptr<RocksState> state(new RocksState(database));
  auto row = database.get(Family::meta, kRevisionKey);
  if (!row) return prefix("state", row.error());
  if (*row) {
    auto revision = decode_revision(kRevisionKey, **row);
    if (!revision) return revision.error();
    state->revision_ = *revision;
  }
  return state;
}

Result<std::optional<StateEntry>> RocksState::get(std::string_view key) const {
  auto row = database_.get(Family::state, key);
  if (!row) return prefix("state", row.error());
  if (!*row) return std::optional<StateEntry>();
  auto revision = decode_revision(key, **row);
  if (!revision) return revision.error();
  return std::optional<StateEntry>({std::string(key), (*row)->substr(8), *revision});
}

Result<std::vector<StateEntry>> RocksState::scan(std::string_view prefix_text) const {
  std::vector<StateEntry> found;
  std::optional<Error> broken;
  auto done =
      database_.scan(Family::state, prefix_text, [&](std::string_view key, std::string_view row) {
        auto revision = decode_revision(key, row);
        if (!revision) {
          broken = revision.error();
          return false;
        }
        found.push_back({std::string(key), std::string(row.substr(8)), *revision});
        return true;
      });
  if (!done) return prefix("state", done.error());
  if (broken) return *broken;
  return found;
}

Result<std::uint64_t> RocksState::commit(const Transaction& transaction) {
  if (auto ok = check_limits(transaction); !ok) return ok.error();
  // Whoever finds nobody leading commits for all that wait: many commits, one sync.
  Waiting mine{.transaction = &transaction};
  std::unique_lock lock(mutex_);
  queue_.push_back(&mine);
  turn_.wait(lock, [&] { return mine.done || !leading_; });
  if (mine.done) return mine.outcome;

  leading_ = true;
  std::vector<Waiting*> group;
  std::size_t bytes = 0;
  // The leader's own commit is always among them: it may not be at the front.
  do {
    group.clear();
    bytes = 0;
    while (!queue_.empty() && group.size() < kGroupMax && bytes < kGroupBytesMax) {
      bytes += size_of(*queue_.front()->transaction);
      group.push_back(queue_.front());
      queue_.pop_front();
    }
    lock.unlock();
    commit_group(group);
    lock.lock();
    for (Waiting* waiting : group) waiting->done = true;
    turn_.notify_all();
  } while (!mine.done);
  leading_ = false;
  turn_.notify_all();
  return mine.outcome;
}

void RocksState::commit_group(std::vector<Waiting*>& group) {
  Group commits(database_, revision_);
  for (Waiting* waiting : group) waiting->outcome = commits.add(*waiting->transaction);
  if (commits.changes().empty() && commits.revision() == revision_) return;
  if (auto written = database_.write(commits.batch()); !written) {
    log::error("store.commit_failed", log::kv("error", written.error().what));
    for (Waiting* waiting : group) {
      if (waiting->outcome) waiting->outcome = prefix("state", written.error());
    }
    return;
  }
  revision_ = commits.revision();
  watches_.notify(commits.changes());
}

std::unique_ptr<StateStore::Watch> RocksState::watch(std::string prefix_text, Watcher watcher) {
  return watches_.add(std::move(prefix_text), std::move(watcher));
}

}  // namespace farboot
