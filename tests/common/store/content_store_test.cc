// The contract of ContentStore, the same for every implementation.
#include "common/store/content_store.h"

#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::noise;

constexpr std::size_t kSmall = 3000;
constexpr std::size_t kLarge = 200'000;

template <class Harness>
class ContentStoreContract : public ::testing::Test {
 protected:
  ContentStore& store() { return harness_->store(); }
  /// Puts noise and returns its name.
  Digest put(std::size_t size, std::uint64_t seed) {
    const Bytes bytes = noise(size, seed);
    const Digest id = sha256(bytes);
    auto done = store().put(id, bytes);
    EXPECT_TRUE(done) << done.error().what;
    return id;
  }
  static Bytes read(const ChunkSource& source) {
    if (source.inline_bytes) return *source.inline_bytes;
    Bytes bytes(source.size_bytes);
    const auto got =
        ::pread(source.fd, bytes.data(), bytes.size(), static_cast<off_t>(source.offset));
    EXPECT_EQ(got, static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  std::unique_ptr<Harness> harness_ = std::make_unique<Harness>();
};

using ContentStores = ::testing::Types<test::MemoryHarness, test::PackHarness>;
TYPED_TEST_SUITE(ContentStoreContract, ContentStores);

TYPED_TEST(ContentStoreContract, GivesBackWhatWasPut) {
  for (const std::size_t size : {std::size_t{1}, kInlineBytesMax, kInlineBytesMax + 1, kLarge,
                                 std::size_t{kChunkBytesMax}}) {
    const Digest id = this->put(size, size);
    auto bytes = this->store().get(id);
    ASSERT_TRUE(bytes) << bytes.error().what;
    EXPECT_EQ(*bytes, noise(size, size));
    auto source = this->store().open(id);
    ASSERT_TRUE(source) << source.error().what;
    EXPECT_EQ(source->size_bytes, size);
    EXPECT_EQ(this->read(*source), noise(size, size));
    EXPECT_TRUE(this->store().verify(id));
  }
}

TYPED_TEST(ContentStoreContract, ReadsManyBackAndNamesThoseThatAreBad) {
  std::vector<Digest> ids, bad;
  for (std::uint64_t i = 0; i < 12; ++i) {
    ids.push_back(this->put(i % 3 == 0 ? kSmall : i % 3 == 1 ? kLarge : kChunkBytesMax, 200 + i));
  }
  std::reverse(ids.begin(), ids.end());  // not as they lie on the disk
  EXPECT_TRUE(this->store().verify_all(ids)->empty());
  EXPECT_TRUE(this->store().verify_all({})->empty());
  for (const std::size_t i : {2u, 3u, 7u}) {
    this->harness_->rot(ids[i]);
    bad.push_back(ids[i]);
  }
  ids.push_back(sha256(as_bytes("never")));
  bad.push_back(ids.back());
  auto found = this->store().verify_all(ids);
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(*found, bad);
  EXPECT_EQ(this->store().missing(ids)->size(), bad.size()) << "what is bad is held no more";
}

TYPED_TEST(ContentStoreContract, DoesNotKnowWhatWasNeverPut) {
  const Digest id = sha256(as_bytes("never"));
  EXPECT_EQ(this->store().get(id).error().code, Errc::not_found);
  EXPECT_EQ(this->store().open(id).error().code, Errc::not_found);
  EXPECT_EQ(this->store().verify(id).error().code, Errc::not_found);
  EXPECT_FALSE(this->store().checked(id));
}

TYPED_TEST(ContentStoreContract, RefusesAChunkOfTheWrongSize) {
  EXPECT_EQ(this->store().put(sha256({}), {}).error().code, Errc::invalid);
  const Bytes big(kChunkBytesMax + 1, 7);
  EXPECT_EQ(this->store().put(sha256(big), big).error().code, Errc::invalid);
}

TYPED_TEST(ContentStoreContract, KeepsNothingOfABatchWithOneMismatch) {
  const Bytes good = noise(kLarge, 1), bad = noise(kLarge, 2);
  const Digest good_id = sha256(good), wrong_id = sha256(as_bytes("other"));
  const ContentStore::Chunk batch[] = {{good_id, good}, {wrong_id, bad}};
  EXPECT_EQ(this->store().put(batch).error().code, Errc::mismatch);
  EXPECT_EQ(this->store().get(good_id).error().code, Errc::not_found);
  EXPECT_EQ(this->store().usage()->chunks, 0u);
}

TYPED_TEST(ContentStoreContract, CountsAChunkOnceHoweverOftenItIsPut) {
  const Bytes bytes = noise(kLarge, 3), tiny = noise(kSmall, 4);
  const Digest id = sha256(bytes), tiny_id = sha256(tiny);
  const ContentStore::Chunk batch[] = {{id, bytes}, {tiny_id, tiny}, {id, bytes}, {tiny_id, tiny}};
  ASSERT_TRUE(this->store().put(batch));
  ASSERT_TRUE(this->store().put(batch));
  auto usage = this->store().usage();
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->chunks, 2u);
  EXPECT_EQ(usage->payload_bytes, kLarge + kSmall);
}

TYPED_TEST(ContentStoreContract, NamesWhatIsMissingOnceAndInOrder) {
  const Digest held = this->put(kLarge, 5), small = this->put(kSmall, 6);
  const Digest a = sha256(as_bytes("a")), b = sha256(as_bytes("b"));
  const Digest asked[] = {b, held, a, b, small, a};
  auto missing = this->store().missing(asked);
  ASSERT_TRUE(missing);
  EXPECT_EQ(*missing, (std::vector<Digest>{b, a}));
}

TYPED_TEST(ContentStoreContract, IsCheckedOncePutOrOpened) {
  const Digest id = this->put(kLarge, 7);
  EXPECT_TRUE(this->store().checked(id));  // checked as it came in
  ASSERT_TRUE(this->store().open(id));
  EXPECT_TRUE(this->store().checked(id));
}

TYPED_TEST(ContentStoreContract, OpensAtOnceWhatWasOpenedBefore) {
  EXPECT_FALSE(this->store().open_at_once(sha256(as_bytes("not held"))));
  std::vector<Digest> ids;
  for (std::uint64_t i = 0; i < 30; ++i) ids.push_back(this->put(kLarge + i, 300 + i));
  for (const Digest& id : ids) {
    auto opened = this->store().open(id);
    ASSERT_TRUE(opened);
    const auto again = this->store().open_at_once(id);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->fd, opened->fd);
    EXPECT_EQ(again->offset, opened->offset);
    EXPECT_EQ(again->size_bytes, opened->size_bytes);
    EXPECT_TRUE(again->lease);
  }
  // Swept and put again it lies elsewhere, and is opened there.
  ASSERT_TRUE(this->store().sweep([](const Digest&) { return false; }));
  const Digest moved = this->put(kLarge, 300);
  const auto source = this->store().open(moved);
  const auto again = this->store().open_at_once(moved);
  ASSERT_TRUE(source && again);
  EXPECT_EQ(again->offset, source->offset);
}

TYPED_TEST(ContentStoreContract, QuarantinesARottenChunkAndTakesItAgain) {
  for (const std::size_t size : {kSmall, kLarge}) {
    const auto rotten = [&](const char* how, auto use) {
      const Digest id = this->put(size, 8);
      this->harness_->rot(id);
      EXPECT_EQ(use(id), Errc::corrupt) << how << " " << size;
      EXPECT_EQ(this->store().get(id).error().code, Errc::not_found) << how;
      EXPECT_FALSE(this->store().checked(id)) << how;
      EXPECT_FALSE(this->store().open_at_once(id)) << how;
      EXPECT_EQ(this->store().missing(std::span(&id, 1))->size(), 1u) << how;
      EXPECT_EQ(this->store().usage()->chunks, 0u) << how;
    };
    rotten("get", [&](const Digest& id) { return this->store().get(id).error().code; });
    rotten("open", [&](const Digest& id) { return this->store().open(id).error().code; });
    rotten("verify", [&](const Digest& id) { return this->store().verify(id).error().code; });
    const Digest again = this->put(size, 8);
    EXPECT_EQ(*this->store().get(again), noise(size, 8));
    EXPECT_TRUE(this->store().sweep([](const Digest&) { return false; }));
  }
}

TYPED_TEST(ContentStoreContract, SweepFreesWhatIsNotKept) {
  std::vector<Digest> kept, dropped;
  for (std::uint64_t i = 0; i < 40; ++i) {
    (i % 3 == 0 ? kept : dropped).push_back(this->put(i % 2 == 0 ? kLarge : kSmall, 100 + i));
  }
  const auto before = *this->store().usage();
  auto freed = this->store().sweep(
      [&](const Digest& id) { return std::find(kept.begin(), kept.end(), id) != kept.end(); });
  ASSERT_TRUE(freed) << freed.error().what;
  EXPECT_GT(*freed, 0u);
  const auto after = *this->store().usage();
  EXPECT_EQ(after.chunks, kept.size());
  EXPECT_LT(after.disk_bytes, before.disk_bytes);
  for (const Digest& id : kept) EXPECT_TRUE(this->store().verify(id));
  for (const Digest& id : dropped) {
    EXPECT_EQ(this->store().get(id).error().code, Errc::not_found);
    EXPECT_FALSE(this->store().checked(id));
    EXPECT_FALSE(this->store().open_at_once(id));
  }
}

TYPED_TEST(ContentStoreContract, SweepKeepsWhatIsPutMeanwhile) {
  const Bytes held = noise(kLarge, 11), fresh = noise(kLarge, 12);
  const Digest held_id = this->put(kLarge, 11), fresh_id = sha256(fresh);
  for (std::uint64_t i = 0; i < 20; ++i) this->put(kLarge, 200 + i);
  std::jthread putter;
  bool begun = false;
  // The put runs on another thread, as it would, and has returned before the sweep goes on.
  auto freed = this->store().sweep([&](const Digest&) {
    if (!std::exchange(begun, true)) {
      putter = std::jthread([&] {
        EXPECT_TRUE(this->store().put(held_id, held));
        EXPECT_TRUE(this->store().put(fresh_id, fresh));
      });
      putter.join();
    }
    return false;
  });
  ASSERT_TRUE(freed);
  EXPECT_EQ(this->store().usage()->chunks, 2u);
  EXPECT_EQ(*this->store().get(held_id), held);
  EXPECT_EQ(*this->store().get(fresh_id), fresh);
}

TYPED_TEST(ContentStoreContract, AnOpenChunkStaysReadableThoughSwept) {
  for (const std::size_t size : {kSmall, kLarge}) {
    const Digest id = this->put(size, 13);
    auto source = this->store().open(id);
    ASSERT_TRUE(source);
    ASSERT_TRUE(this->store().sweep([](const Digest&) { return false; }));
    EXPECT_EQ(this->store().open(id).error().code, Errc::not_found);
    for (std::uint64_t i = 0; i < 10; ++i) this->put(kLarge, 300 + i);
    EXPECT_EQ(this->read(*source), noise(size, 13));
    ASSERT_TRUE(this->store().sweep([](const Digest&) { return false; }));
    EXPECT_EQ(this->read(*source), noise(size, 13));
  }
}

TYPED_TEST(ContentStoreContract, RefusesWhatExceedsTheBudgetWithNumbers) {
  auto tight = std::make_unique<TypeParam>(4u << 20);
  const Bytes one = noise(kChunkBytesMax, 14);
  ASSERT_TRUE(tight->store().put(sha256(one), one));
  std::vector<Bytes> many;
  std::vector<ContentStore::Chunk> batch;
  for (std::uint64_t i = 0; i < 8; ++i) many.push_back(noise(kChunkBytesMax, 400 + i));
  for (const Bytes& bytes : many) batch.push_back({sha256(bytes), bytes});
  auto refused = tight->store().put(batch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::exhausted);
  EXPECT_NE(refused.error().what.find_first_of("0123456789"), std::string::npos);
  EXPECT_EQ(tight->store().usage()->chunks, 1u);
  EXPECT_TRUE(tight->store().put(sha256(one), one));  // held already: costs nothing
  ASSERT_TRUE(tight->store().sweep([](const Digest&) { return false; }));
  EXPECT_TRUE(tight->store().put(batch[0].id, batch[0].bytes));
}

TYPED_TEST(ContentStoreContract, ManyThreadsAtOnceStoreEachChunkOnce) {
  constexpr std::uint64_t kChunks = 24;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (std::uint64_t i = 0; i < kChunks; ++i) {
        const std::size_t size = i % 4 == 0 ? kSmall : kLarge / 4;
        const Bytes bytes = noise(size, 500 + i);
        const Digest id = sha256(bytes);
        EXPECT_TRUE(this->store().put(id, bytes));
        EXPECT_TRUE(this->store().checked(id));
        EXPECT_EQ(*this->store().get(id), bytes);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(this->store().usage()->chunks, kChunks);
}

}  // namespace
}  // namespace farboot
