#include "controller/link/chunk_cache.h"

#include <fcntl.h>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "common/store/memory_store.h"
#include "controller/link/worker_pool.h"

namespace farboot {
namespace {

class ChunkCacheTest : public ::testing::Test {
 protected:
  Digest put(Bytes bytes) {
    const Digest id = sha256(bytes);
    EXPECT_TRUE(store_.put(id, bytes));
    return id;
  }
  MemoryStore store_;
  ChunkCache cache_{store_};
};

TEST_F(ChunkCacheTest, ReadsAChunkOnceForAll) {
  const Digest id = put(Bytes(100'000, 'a'));
  const auto first = cache_.get(id, true);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->encoding, v1::CHUNK_ENCODING_ZSTD);
  EXPECT_EQ(first->size_bytes, 100'000U);
  store_.rot(id);
  const auto second = cache_.get(id, true);
  ASSERT_TRUE(second) << "the store was not asked again";
  EXPECT_EQ(second->payload, first->payload) << "and the bytes are not copied";
}

TEST_F(ChunkCacheTest, GivesPlainBytesToWhoUnderstandsNothingElse) {
  const Digest id = put(Bytes(100'000, 'a'));
  ASSERT_TRUE(cache_.get(id, true));
  const auto plain = cache_.get(id, false);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->encoding, v1::CHUNK_ENCODING_PLAIN);
  EXPECT_EQ(*plain->payload, Bytes(100'000, 'a'));
  EXPECT_EQ(cache_.get(id, true)->encoding, v1::CHUNK_ENCODING_ZSTD) << "that one is kept";
}

TEST_F(ChunkCacheTest, SaysWhatIsWrongWithAChunk) {
  EXPECT_EQ(cache_.get(sha256(as_bytes("nobody's")), true).error().code, Errc::not_found);
  const Digest id = put(Bytes(1'000, 'b'));
  store_.rot(id);
  EXPECT_EQ(cache_.get(id, true).error().code, Errc::corrupt);
}

TEST_F(ChunkCacheTest, ForgetsWhatWasAskedForLongestAgo) {
  std::vector<Digest> ids;
  const std::size_t count = ChunkCache::kBytesMax / kChunkBytesMax + 4;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes bytes(kChunkBytesMax);
    std::uint64_t word = i + 1;
    for (auto& byte : bytes) {
      word = word * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<std::uint8_t>(word >> 56);
    }
    ids.push_back(put(std::move(bytes)));
    ASSERT_TRUE(cache_.get(ids.back(), true));
    ASSERT_TRUE(cache_.get(ids.front(), true));  // asked for again and again
  }
  for (const Digest& id : ids) store_.rot(id);
  EXPECT_TRUE(cache_.get(ids.front(), true));
  EXPECT_TRUE(cache_.get(ids.back(), true));
  EXPECT_FALSE(cache_.get(ids[1], true));
}

/// What open() gives cannot be read: EIO, as from a dying disk.
class UnreadableStore final : public ContentStore {
 public:
  Result<Bytes> get(const Digest& id) const override {
    ++gets;
    return held.get(id);
  }
  using ContentStore::put;
  Result<void> put(std::span<const Chunk> chunks) override { return held.put(chunks); }
  Result<std::vector<Digest>> missing(std::span<const Digest> ids) const override {
    return held.missing(ids);
  }
  Result<ChunkSource> open(const Digest&) const override {
    ChunkSource source;
    source.fd = nothing_.get();
    source.size_bytes = 1'000;
    return source;
  }
  std::optional<ChunkSource> open_at_once(const Digest& id) const override {
    return held.open_at_once(id);
  }
  bool checked(const Digest& id) const override { return held.checked(id); }
  Result<void> verify(const Digest& id) override { return held.verify(id); }
  Result<std::uint64_t> sweep(const std::function<bool(const Digest&)>& keep) override {
    return held.sweep(keep);
  }
  Result<StoreUsage> usage() const override { return held.usage(); }

  MemoryStore held;
  mutable int gets = 0;

 private:
  /// Nothing is mapped at the address 0.
  UniqueFd nothing_{::open("/proc/self/mem", O_RDONLY | O_CLOEXEC)};
};

TEST(ChunkCache, AsksTheStoreAgainForWhatCannotBeRead) {
  UnreadableStore store;
  ChunkCache cache(store);
  const Bytes bytes(1'000, 'a');
  const Digest id = sha256(bytes);
  ASSERT_TRUE(store.put(id, bytes));
  EXPECT_TRUE(cache.get(id, true)) << "it could this time";
  EXPECT_EQ(store.gets, 1);
  const Bytes other(1'000, 'b');
  const Digest rotten = sha256(other);
  ASSERT_TRUE(store.put(rotten, other));
  ASSERT_TRUE(store.held.rot(rotten));
  const auto got = cache.get(rotten, true);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::corrupt) << got.error().what;
  EXPECT_EQ(store.gets, 2) << "which quarantines it";
}

TEST(WorkerPool, RunsEveryJobThoughOneThrows) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(2);
    for (int i = 0; i < 100; ++i)
      pool.post([&, i] {
        ++ran;
        if (i == 3) throw std::runtime_error("a library's");
      });
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace farboot
