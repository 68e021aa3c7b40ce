// Others fill the disk, to the last byte, at any moment. Nothing ends, what is durable stays
// readable, what cannot be written is refused with the numbers, and goes on when there is space.
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "common/store/rocks_state.h"
#include "tests/common/store/small_disk.h"
#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::DiskStore;
using test::noise;
using test::SmallDisk;

constexpr int kSteps = 400;
constexpr int kFills = 20;
constexpr std::size_t kStateKeys = 12;

PackStoreOptions small_packs() {
  PackStoreOptions options;
  options.budget_bytes = 1ull << 40;
  options.reserve_bytes = 1u << 20;
  options.pack_bytes_max = 1u << 20;
  return options;
}

/// Small buffers: tables are written and rewritten all the time.
DatabaseOptions busy() {
  DatabaseOptions options;
  options.write_buffer_bytes = 256 * 1024;
  return options;
}

bool has_numbers(const Error& error) {
  return error.what.find_first_of("0123456789") != std::string::npos &&
         error.what.find("free") != std::string::npos;
}

/// What a daemon believes of its disk, and the disk.
class FullDiskWalk {
 public:
  explicit FullDiskWalk(std::uint64_t seed)
      : random_(seed),
        store_(disk_.path(), small_packs(), seed % 2 == 0 ? busy() : DatabaseOptions{}) {
    open_state();
  }
  bool mounted() const { return disk_.mounted(); }

  void step() {
    switch (pick(12)) {
      case 0: disk_.fill(pick(4) == 0 ? pick(3u << 20) : 0); break;
      case 1: disk_.empty(); break;
      case 2:
        if (pick(3) == 0) restart();
        break;
      case 3: sweep(); break;
      case 4: verify_one(); break;
      case 5:
      case 6:
      case 7: put_chunks(); break;
      default: put_state();
    }
    read_all();
  }

  /// With space again everything works at once, and after a restart too.
  void expect_recovery() {
    disk_.empty();
    auto committed = state_->put("k0", "the end");
    ASSERT_TRUE(committed) << committed.error().what;
    model_["k0"] = {"the end"};
    const Bytes bytes = noise(30'000, 1);
    auto put = store_->put(sha256(bytes), bytes);
    ASSERT_TRUE(put) << put.error().what;
    held_.insert(sha256(bytes));
    read_all();
    restart();
    read_all();
    for (const Digest& id : held_) EXPECT_TRUE(store_->verify(id));
  }
  int refused() const { return refused_; }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void open_state() {
    auto opened = RocksState::open(store_.database());
    ASSERT_TRUE(opened) << opened.error().what;
    state_ = std::move(*opened);
  }
  void restart() {
    state_.reset();
    auto opened = store_.open();
    ASSERT_TRUE(opened) << opened.error().what;
    open_state();
    // A write that was refused may have reached the disk: only a restart may show it.
    for (auto& [key, values] : model_) {
      auto now = state_->get(key);
      ASSERT_TRUE(now) << now.error().what;
      const std::string value = *now ? (*now)->value : "";
      EXPECT_NE(std::find(values.begin(), values.end(), value), values.end()) << key;
      values = {value};
    }
  }
  void expect_refusal(const Error& error) {
    ++refused_;
    EXPECT_EQ(error.code, Errc::exhausted) << error.what;
    EXPECT_TRUE(has_numbers(error)) << error.what;
  }
  void put_state() {
    const std::string key = fmt::format("k{}", pick(kStateKeys));
    const std::string value(pick(8) == 0 ? 1 + pick(300'000) : 1 + pick(600),
                            static_cast<char>('a' + pick(26)));
    auto& values = model_.try_emplace(key, std::vector<std::string>{""}).first->second;
    auto committed = state_->put(key, value);
    if (committed) {
      EXPECT_GT(*committed, revision_);
      revision_ = *committed;
      values = {value};
    } else {
      expect_refusal(committed.error());
      values.push_back(value);
    }
  }
  void put_chunks() {
    std::vector<Bytes> bytes;
    for (std::uint64_t i = 1 + pick(6); i > 0; --i) {
      bytes.push_back(noise(1 + (pick(2) == 0 ? pick(kInlineBytesMax) : pick(120'000)), random_()));
    }
    std::vector<ContentStore::Chunk> batch;
    for (const Bytes& chunk : bytes) batch.push_back({sha256(chunk), chunk});
    auto put = store_->put(batch);
    if (!put) expect_refusal(put.error());
    for (const auto& chunk : batch) {
      if (put) held_.insert(chunk.id);
    }
  }
  void sweep() {
    // Refused half-way it has freed some, so what it may free counts as gone.
    std::set<Digest> kept;
    for (const Digest& id : held_) {
      if (pick(2) == 0) kept.insert(id);
    }
    auto swept = store_->sweep([&](const Digest& id) { return kept.contains(id); });
    if (!swept) expect_refusal(swept.error());
    held_ = std::move(kept);
  }
  void verify_one() {
    if (held_.empty()) return;
    auto it = held_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(pick(held_.size())));
    // Proof needs the bytes on the disk, not in the write buffer: that may be refused.
    auto verified = store_->verify(*it);
    if (!verified) expect_refusal(verified.error());
  }
  /// What a refused put leaves in the folder is bounded: the packs of one.
  void expect_no_litter() {
    auto packs = ChunkIndex(store_.database()).packs();
    ASSERT_TRUE(packs);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(store_.packs())) {
      ++files;
    }
    EXPECT_LE(files, packs->size() + 2);
  }
  void read_all() {
    expect_no_litter();
    for (const auto& [key, values] : model_) {
      auto now = state_->get(key);
      ASSERT_TRUE(now) << now.error().what;
      EXPECT_EQ(*now ? (*now)->value : "", values.front()) << key;
    }
    std::size_t n = 0;
    const std::size_t every = 1 + held_.size() / 8;
    for (const Digest& id : held_) {
      if (n++ % every != 0) continue;
      auto bytes = store_->get(id);
      EXPECT_TRUE(bytes) << bytes.error().what;
    }
  }

  std::mt19937_64 random_;
  SmallDisk disk_{"24m"};
  DiskStore store_;
  std::unique_ptr<RocksState> state_;
  /// The first is what a read must show; the others were refused, and may show after a restart.
  std::map<std::string, std::vector<std::string>> model_;
  std::set<Digest> held_;
  std::uint64_t revision_ = 0;
  int refused_ = 0;
};

class FullDisk : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FullDisk, AtAnyStepEndsNothingAndLosesNothing) {
  FullDiskWalk walk(GetParam());
  if (!walk.mounted()) GTEST_SKIP() << "mounting needs root";
  for (int i = 0; i < kSteps && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(fmt::format("seed {}, step {}", GetParam(), i));
    walk.step();
  }
  walk.expect_recovery();
  EXPECT_GT(walk.refused(), 0);
}

/// Others take and give back space as fast as they can while threads write and read.
TEST_P(FullDisk, UnderOtherThreadsEndsNothingAndLosesNothing) {
  const SmallDisk disk("24m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  DiskStore store(disk.path(), small_packs(), busy());
  auto state = *RocksState::open(store.database());
  std::atomic<bool> writing = true;
  std::atomic<std::uint64_t> writes = 0;
  std::atomic<int> refused = 0;
  std::thread hog([&] {
    std::mt19937_64 random(GetParam());
    for (int i = 0; i < kFills; ++i) {
      for (const auto until = writes + random() % 40; writes < until;) std::this_thread::yield();
      disk.fill(random() % 2 == 0 ? 0 : random() % (6u << 20));
      for (const auto until = writes + random() % 20; writes < until;) std::this_thread::yield();
      disk.empty();
    }
    writing = false;
  });
  std::map<std::string, std::string> values;
  std::thread state_writer([&] {
    std::mt19937_64 random(GetParam() + 100);
    for (; writing; ++writes) {
      const std::string key = fmt::format("k{}", random() % kStateKeys);
      const std::string value(1 + random() % 4000, static_cast<char>('a' + random() % 26));
      if (state->put(key, value))
        values[key] = value;
      else
        ++refused;
      const auto now = state->get(key);
      ASSERT_TRUE(now) << now.error().what;
      EXPECT_EQ(*now ? (*now)->value : "", values[key]);
    }
  });
  std::set<Digest> held;
  std::thread chunk_writer([&] {
    for (std::uint64_t i = 0; writing; ++i, ++writes) {
      const Bytes bytes =
          noise(i % 8 == 0 ? 60'000 : kInlineBytesMax - i % 100, GetParam() << 32 | i);
      const Digest id = sha256(bytes);
      if (store->put(id, bytes))
        held.insert(id);
      else
        ++refused;
      if (held.size() > 300) {
        // Whatever the sweep could not do, it keeps what it was told to keep.
        auto swept = store->sweep([&](const Digest& one) { return one == id; });
        EXPECT_TRUE(swept || swept.error().code == Errc::exhausted) << swept.error().what;
        std::erase_if(held, [&](const Digest& one) { return one != id; });
      }
      for (const Digest& one : {id, held.empty() ? id : *held.begin()}) {
        if (!held.contains(one)) continue;
        auto got = store->get(one);
        EXPECT_TRUE(got) << got.error().what;
      }
    }
  });
  state_writer.join();
  chunk_writer.join();
  hog.join();
  EXPECT_GT(refused, 0);
  disk.empty();
  ASSERT_TRUE(state->put("k", "the end"));
  const auto expect_all = [&] {
    for (const auto& [key, value] : values) EXPECT_EQ((*state->get(key))->value, value);
    for (const Digest& id : held) {
      auto verified = store->verify(id);
      EXPECT_TRUE(verified) << verified.error().what;
    }
  };
  expect_all();
  state.reset();
  ASSERT_TRUE(store.open());
  state = *RocksState::open(store.database());
  expect_all();
}

INSTANTIATE_TEST_SUITE_P(Seeds, FullDisk, ::testing::Range<std::uint64_t>(1, 5));

}  // namespace
}  // namespace farboot
