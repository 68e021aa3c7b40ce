// Everything at once, from many threads: run it under ThreadSanitizer.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::DiskStore;
using test::noise;

constexpr std::uint64_t kChunks = 40;
constexpr std::size_t kRounds = 6;

std::size_t size_of(std::uint64_t seed) { return seed % 4 == 0 ? 4000 : 18'000 + seed * 700; }
bool kept(std::uint64_t seed) { return seed % 2 == 0; }

class PackThreads : public ::testing::Test {
 protected:
  PackThreads() {
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      bytes_.push_back(noise(size_of(i), i));
      ids_.push_back(sha256(bytes_.back()));
    }
  }
  static PackStoreOptions options() {
    auto options = DiskStore::roomy();
    options.pack_bytes_max = 300'000;
    return options;
  }
  void put_all(std::uint64_t from) {
    for (std::uint64_t n = 0; n < kChunks; n += 4) {
      std::vector<ContentStore::Chunk> batch;
      for (std::uint64_t i = n; i < n + 4; ++i) {
        const std::uint64_t at = (from + i) % kChunks;
        batch.push_back({ids_[at], bytes_[at]});
      }
      auto done = store_->put(batch);
      EXPECT_TRUE(done) << done.error().what;
    }
  }
  void open_all() {
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      auto source = store_->open(ids_[i]);
      if (!source) {
        EXPECT_EQ(source.error().code, Errc::not_found) << source.error().what;
        continue;
      }
      expect_right(*source, i);
    }
  }
  void open_all_at_once() {
    for (std::uint64_t n = 0; n < 20 * kChunks; ++n) {
      const auto source = store_->open_at_once(ids_[n % kChunks]);
      if (source) expect_right(*source, n % kChunks);
    }
  }
  void expect_right(const ChunkSource& source, std::uint64_t i) const {
    Bytes bytes(source.size_bytes);
    if (source.inline_bytes) {
      bytes = *source.inline_bytes;
    } else {
      const auto got =
          ::pread(source.fd, bytes.data(), bytes.size(), static_cast<off_t>(source.offset));
      EXPECT_EQ(got, static_cast<ssize_t>(bytes.size()));
    }
    EXPECT_EQ(bytes, bytes_[i]) << i;
  }
  void get_and_verify_all() {
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      auto bytes = store_->get(ids_[i]);
      if (bytes) {
        EXPECT_EQ(*bytes, bytes_[i]);
      }
      if (!bytes) {
        EXPECT_EQ(bytes.error().code, Errc::not_found) << bytes.error().what;
      }
      auto right = store_->verify(ids_[i]);
      if (!right) {
        EXPECT_EQ(right.error().code, Errc::not_found) << right.error().what;
      }
      store_->checked(ids_[i]);
    }
  }

  TempFolder folder_;
  DiskStore store_{folder_.path(), options()};
  std::vector<Bytes> bytes_;
  std::vector<Digest> ids_;
};

TEST_F(PackThreads, NobodyEverGetsWrongBytesAndNothingKeptIsLost) {
  put_all(0);
  std::vector<std::jthread> threads;
  const auto repeat = [&](auto job) {
    threads.emplace_back([job] {
      for (std::size_t round = 0; round < kRounds; ++round) job(round);
    });
  };
  repeat([this](std::size_t round) { put_all(round * 7); });
  repeat([this](std::size_t round) { put_all(round * 13 + 20); });
  repeat([this](std::size_t) { open_all(); });
  repeat([this](std::size_t) { open_all_at_once(); });
  repeat([this](std::size_t) { get_and_verify_all(); });
  repeat([this](std::size_t) {
    auto freed = store_->sweep([this](const Digest& id) {
      const auto at = std::find(ids_.begin(), ids_.end(), id) - ids_.begin();
      return kept(static_cast<std::uint64_t>(at));
    });
    EXPECT_TRUE(freed) << freed.error().what;
    EXPECT_TRUE(store_->usage());
    EXPECT_TRUE(store_->missing(ids_));
  });
  threads.clear();
  EXPECT_TRUE(store_->quarantined()->empty());
  for (std::uint64_t i = 0; i < kChunks; i += 2) EXPECT_TRUE(store_->verify(ids_[i])) << i;

  const auto counted = *store_->usage();
  std::uint64_t chunks = 0, payload = 0;
  ASSERT_TRUE(ChunkIndex(store_.database()).each_chunk([&](const Digest&, const ChunkPlace& place) {
    ++chunks;
    payload += place.size_bytes;
    return true;
  }));
  EXPECT_EQ(counted.chunks, chunks);
  EXPECT_EQ(counted.payload_bytes, payload);
  ASSERT_TRUE(store_.open());
  EXPECT_EQ(store_->usage()->chunks, chunks);
  EXPECT_EQ(store_->usage()->payload_bytes, payload);
}

TEST_F(PackThreads, TwoPutsOfOneChunkAtOnceStoreItOnce) {
  const Bytes bytes = noise(200'000, 1);
  const Digest id = sha256(bytes);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { EXPECT_TRUE(store_->put(id, bytes)); });
  }
  threads.clear();
  EXPECT_EQ(store_->usage()->chunks, 1u);
  EXPECT_LE(std::filesystem::file_size(store_.pack(1)), 4096u + 200'000u + 128u);
}

}  // namespace
}  // namespace farboot
