// The disk is full, or a file may not grow: what is held stays held, and later puts work again.
#include <signal.h>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "common/store/rocks_state.h"
#include "tests/common/store/small_disk.h"
#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::DiskStore;
using test::noise;
using test::SmallDisk;

/// No file may grow beyond `bytes` while it lives: an append then fails half-way, as on a full
/// disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(PackFull, AnAppendThatFailsHalfWayLeavesTheStoreUsable) {
  TempFolder folder;
  DiskStore store(folder.path());
  std::vector<Bytes> bytes;
  for (std::uint64_t i = 0; i < 12; ++i) bytes.push_back(noise(100'000, i));
  ASSERT_TRUE(store->put(sha256(bytes[0]), bytes[0]));
  std::vector<ContentStore::Chunk> batch;
  for (const Bytes& chunk : bytes) batch.push_back({sha256(chunk), chunk});
  {
    const FileSizeLimit limit(450'000);
    auto refused = store->put(batch);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted) << refused.error().what;
    EXPECT_EQ(store->usage()->chunks, 1u);
    EXPECT_EQ(std::filesystem::file_size(store.pack(1)) <= 450'000, true);
    EXPECT_EQ(*store->get(batch[0].id), bytes[0]);
    ASSERT_TRUE(store->put(batch[1].id, batch[1].bytes));  // this one fits
  }
  ASSERT_TRUE(store->put(batch));
  ASSERT_TRUE(store.open());
  for (const auto& chunk : batch) EXPECT_TRUE(store->verify(chunk.id));
}

TEST(PackFull, StopsBeforeTheReserveWithTheNumbersAndGoesOnAfterASweep) {
  const SmallDisk disk("16m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  PackStoreOptions options;
  options.reserve_bytes = 4u << 20;
  options.pack_bytes_max = 2u << 20;
  DiskStore store(disk.path(), options);
  std::vector<Digest> held;
  Result<void> last;
  for (std::uint64_t i = 0; i < 200 && last; ++i) {
    const Bytes bytes = noise(150'000, i);
    last = store->put(sha256(bytes), bytes);
    if (last) held.push_back(sha256(bytes));
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Errc::exhausted);
  EXPECT_NE(last.error().what.find("4194304 stay in reserve"), std::string::npos)
      << last.error().what;
  EXPECT_GE(std::filesystem::space(disk.path()).available, 4u << 20);
  EXPECT_GT(held.size(), 30u);
  for (const Digest& id : held) EXPECT_TRUE(store->open(id));
  auto freed = store->sweep([&](const Digest& id) { return id == held[0]; });
  ASSERT_TRUE(freed);
  EXPECT_GT(*freed, 4u << 20);
  const Bytes bytes = noise(150'000, 9999);
  EXPECT_TRUE(store->put(sha256(bytes), bytes));
  ASSERT_TRUE(store.open());
  EXPECT_TRUE(store->verify(held[0]));
  EXPECT_TRUE(store->verify(sha256(bytes)));
}

TEST(PackFull, TheDatabaseRecoversWhenOthersHadFilledTheDisk) {
  const SmallDisk disk("16m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  DiskStore store(disk.path());
  auto state = *RocksState::open(store.database());
  const Bytes first = noise(3000, 1);
  ASSERT_TRUE(store->put(sha256(first), first));
  ASSERT_TRUE(state->put("k", "before"));
  disk.fill();
  // Small values find the space that the log took ahead: press on until one does not.
  Result<std::uint64_t> refused = 0;
  std::uint64_t small = 0;
  for (; refused && small < 10'000; ++small) refused = state->put("small", std::string(3000, 'x'));
  EXPECT_GT(small, 100u);
  EXPECT_EQ(refused.error().code, Errc::exhausted) << refused.error().what;
  refused = state->put("large", std::string(100'000, 'x'));
  EXPECT_EQ(refused.error().code, Errc::exhausted) << refused.error().what;
  EXPECT_NE(refused.error().what.find("0 bytes free on the file system"), std::string::npos)
      << refused.error().what;
  const Bytes second = noise(3000, 2);
  EXPECT_EQ(store->put(sha256(second), second).error().code, Errc::exhausted);
  EXPECT_EQ(*store->get(sha256(first)), first);
  EXPECT_EQ((*state->get("k"))->value, "before");
  disk.empty();
  auto put = store->put(sha256(second), second);
  ASSERT_TRUE(put) << put.error().what;
  auto committed = state->put("k", "after");
  ASSERT_TRUE(committed) << committed.error().what;
  state.reset();
  ASSERT_TRUE(store.open());
  EXPECT_EQ(*store->get(sha256(second)), second);
  EXPECT_EQ((*(*RocksState::open(store.database()))->get("k"))->value, "after");
}

TEST(PackFull, OpensOnAFullDiskToServeAndWritesOnceThereIsSpace) {
  const SmallDisk disk("16m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  DiskStore store(disk.path());
  const Bytes small = noise(3000, 1), large = noise(300'000, 2), later = noise(30'000, 3);
  ASSERT_TRUE(store->put(sha256(small), small));
  ASSERT_TRUE(store->put(sha256(large), large));
  store.close();
  disk.fill();
  auto opened = store.open();
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_EQ(*store->get(sha256(small)), small);
  EXPECT_TRUE(store->open(sha256(large)));
  EXPECT_EQ(store->put(sha256(later), later).error().code, Errc::exhausted);
  auto other = Database::open(store.database().folder());
  EXPECT_EQ(other.error().code, Errc::conflict) << "one process, also when it only reads";
  disk.empty();
  auto put = store->put(sha256(later), later);
  ASSERT_TRUE(put) << put.error().what;
  ASSERT_TRUE(store.open());
  for (const Bytes* bytes : {&small, &large, &later})
    EXPECT_EQ(*store->get(sha256(*bytes)), *bytes);
}

TEST(PackFull, TakesSmallChangesAfterACrashOnAFullDisk) {
  const SmallDisk disk("16m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  DiskStore store(disk.path());
  auto state = *RocksState::open(store.database());
  ASSERT_TRUE(state->put("k", "before"));
  state.reset();
  store.close();
  // As a kill leaves it: the log still has the space it took ahead.
  for (const auto& file : std::filesystem::directory_iterator(disk.path() + "/db")) {
    if (file.path().extension() != ".log") continue;
    const UniqueFd log(::open(file.path().c_str(), O_WRONLY | O_CLOEXEC));
    const auto size = static_cast<off_t>(file.file_size());
    ASSERT_EQ(::fallocate(log.get(), FALLOC_FL_KEEP_SIZE, size, 2 << 20), 0);
  }
  disk.fill();
  auto opened = store.open();
  ASSERT_TRUE(opened) << opened.error().what;
  state = *RocksState::open(store.database());
  auto put = state->put("k", "after");
  ASSERT_TRUE(put) << put.error().what;
  EXPECT_EQ((*state->get("k"))->value, "after");
}

TEST(PackFull, ASweepFreesOurOwnSpaceOnADiskThatOthersFilled) {
  const SmallDisk disk("16m");
  if (!disk.mounted()) GTEST_SKIP() << "mounting needs root";
  DiskStore store(disk.path());
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Bytes bytes = noise(100'000, i);
    ASSERT_TRUE(store->put(sha256(bytes), bytes));
  }
  const Digest kept = sha256(noise(100'000, 7));
  disk.fill();
  auto freed = store->sweep([&](const Digest& id) { return id == kept; });
  ASSERT_TRUE(freed) << freed.error().what;
  EXPECT_GT(disk.free_bytes(), 3'500'000u);
  const Bytes bytes = noise(100'000, 100);
  auto put = store->put(sha256(bytes), bytes);
  EXPECT_TRUE(put) << put.error().what;
  EXPECT_TRUE(store->verify(kept));
}

}  // namespace
}  // namespace farboot
