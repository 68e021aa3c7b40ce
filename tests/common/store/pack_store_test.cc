// What a pack store promises beyond the contract all content stores share.
#include "common/store/pack_store.h"

#include <sys/stat.h>

#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "common/store/pack_record.h"
#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::allocated;
using test::DiskStore;
using test::noise;

Digest put(PackStore& store, std::size_t size, std::uint64_t seed) {
  const Bytes bytes = noise(size, seed);
  const Digest id = sha256(bytes);
  auto done = store.put(id, bytes);
  EXPECT_TRUE(done) << done.error().what;
  return id;
}

/// Bytes this process has had the kernel write to a disk.
std::uint64_t written_bytes() {
  std::ifstream file("/proc/self/io");
  for (std::string key; file >> key;) {
    std::uint64_t value = 0;
    file >> value;
    if (key == "write_bytes:") return value;
  }
  return 0;
}

TEST(PackStore, HoldsEverythingAfterAReopenAndChecksItAnewOnFirstUse) {
  TempFolder folder;
  DiskStore store(folder.path());
  std::vector<std::pair<Digest, Bytes>> chunks;
  for (std::uint64_t i = 0; i < 40; ++i) {
    chunks.emplace_back(put(*store, 1000 + i * 9000, i), noise(1000 + i * 9000, i));
  }
  const auto before = *store->usage();
  ASSERT_TRUE(store.open());
  const auto after = *store->usage();
  EXPECT_EQ(after.chunks, before.chunks);
  EXPECT_EQ(after.payload_bytes, before.payload_bytes);
  for (const auto& [id, bytes] : chunks) {
    EXPECT_FALSE(store->checked(id));
    ASSERT_TRUE(store->open(id));
    EXPECT_TRUE(store->checked(id));
    EXPECT_EQ(*store->get(id), bytes);
  }
}

TEST(PackStore, KeepsLargeChunksInPacksAndSmallOnesInline) {
  TempFolder folder;
  DiskStore store(folder.path());
  const Digest small = put(*store, kInlineBytesMax, 1), large = put(*store, kInlineBytesMax + 1, 2);
  EXPECT_TRUE(store.place(small).is_inline());
  EXPECT_EQ(store.place(large).pack, 1u);
  auto source = store->open(large);
  ASSERT_TRUE(source);
  EXPECT_GE(source->fd, 0);
  EXPECT_EQ(source->inline_bytes, nullptr);
  auto inline_source = store->open(small);
  ASSERT_TRUE(inline_source);
  EXPECT_EQ(inline_source->fd, -1);
  EXPECT_NE(inline_source->inline_bytes, nullptr);
}

TEST(PackStore, BeginsANewPackWhenOneIsFull) {
  TempFolder folder;
  auto options = DiskStore::roomy();
  options.pack_bytes_max = 1u << 20;
  DiskStore store(folder.path(), options);
  std::vector<Bytes> bytes;
  std::vector<ContentStore::Chunk> batch;
  for (std::uint64_t i = 0; i < 20; ++i) bytes.push_back(noise(200'000, i));
  for (const Bytes& chunk : bytes) batch.push_back({sha256(chunk), chunk});
  ASSERT_TRUE(store->put(batch));  // one batch over several packs
  for (unsigned pack = 1; pack <= 4; ++pack) {
    EXPECT_LE(std::filesystem::file_size(store.pack(pack)), options.pack_bytes_max);
  }
  ASSERT_TRUE(store.open());
  for (const auto& chunk : batch) EXPECT_TRUE(store->verify(chunk.id));
}

TEST(PackStore, NeverWritesToABlockThatHoldsAcknowledgedBytes) {
  TempFolder folder;
  DiskStore store(folder.path());
  for (std::uint64_t i = 0; i < 10; ++i) {
    const Digest id = put(*store, 20'000 + i, i);
    const std::uint64_t record = store.place(id).offset - kRecordHeaderBytes;
    EXPECT_EQ(record % kPackBlockBytes, 0u);
  }
}

TEST(PackStore, BeginsLargePayloadsWithAPageAndFindsThemInARebuild) {
  TempFolder folder;
  DiskStore store(folder.path());
  std::vector<Digest> ids;
  std::vector<Bytes> bytes;
  std::vector<ContentStore::Chunk> batch;
  for (const std::size_t size :
       {std::size_t{kAlignedPayloadBytesMin}, std::size_t{20'001}, std::size_t{kChunkBytesMax},
        kAlignedPayloadBytesMin - std::size_t{1}, kAlignedPayloadBytesMin + std::size_t{4096 - 64},
        std::size_t{300'000}, std::size_t{kChunkBytesMax}}) {
    bytes.push_back(noise(size, size));
    ids.push_back(sha256(bytes.back()));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) batch.push_back({ids[i], bytes[i]});
  ASSERT_TRUE(store->put(batch));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto place = store.place(ids[i]);
    if (place.size_bytes < kAlignedPayloadBytesMin) continue;
    EXPECT_EQ(place.offset % kPackBlockBytes, 0u);
  }
  store.close();
  std::filesystem::remove_all(folder / "db");
  {
    auto database = *Database::open(folder / "db");
    ASSERT_TRUE(PackStore::rebuild(*database, store.packs()));
  }
  ASSERT_TRUE(store.open());
  EXPECT_TRUE(store->verify_all(ids)->empty());
}

TEST(PackStore, FindsEveryBitFlippedAtRest) {
  const std::uint64_t seed = 20'240'731;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  TempFolder folder;
  std::vector<Quarantined> reported;
  auto options = DiskStore::roomy();
  options.on_quarantine = [&](const Quarantined& chunk) { reported.push_back(chunk); };
  DiskStore store(folder.path(), options);
  std::vector<Digest> ids;
  for (std::uint64_t i = 0; i < 60; ++i) ids.push_back(put(*store, 20'000 + i * 1000, i));
  std::vector<ChunkPlace> places;
  for (const Digest& id : ids) places.push_back(store.place(id));
  store.close();
  for (const ChunkPlace& place : places) {
    const UniqueFd fd(::open(store.pack(place.pack).c_str(), O_RDWR | O_CLOEXEC));
    const auto at = static_cast<off_t>(place.offset + random() % place.size_bytes);
    std::uint8_t byte = 0;
    ASSERT_EQ(::pread(fd.get(), &byte, 1, at), 1);
    byte ^= static_cast<std::uint8_t>(1u << random() % 8);
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, at), 1);
  }
  ASSERT_TRUE(store.open());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto code = i % 3 == 0   ? store->open(ids[i]).error().code
                      : i % 3 == 1 ? store->get(ids[i]).error().code
                                   : store->verify(ids[i]).error().code;
    EXPECT_EQ(code, Errc::corrupt) << i;
    EXPECT_EQ(store->open(ids[i]).error().code, Errc::not_found) << i;
  }
  EXPECT_EQ(store->missing(ids)->size(), ids.size());
  EXPECT_EQ(reported.size(), ids.size());
  auto listed = store->quarantined();
  ASSERT_EQ(listed->size(), ids.size());
  EXPECT_EQ(listed->at(0).id, ids[0]);
  EXPECT_EQ(listed->at(0).place, places[0]);
  // It stays so after a reopen, and what is fetched again is served again.
  ASSERT_TRUE(store.open());
  EXPECT_EQ(store->get(ids[5]).error().code, Errc::not_found);
  EXPECT_EQ(store->quarantined()->size(), ids.size());
  EXPECT_EQ(put(*store, 25'000, 5), ids[5]);
  EXPECT_EQ(*store->get(ids[5]), noise(25'000, 5));
}

TEST(PackStore, VerifyReadsTheDiskThoughTheChunkIsTrusted) {
  TempFolder folder;
  DiskStore store(folder.path());
  const Digest large = put(*store, 300'000, 1), small = put(*store, 5'000, 2);
  const ChunkPlace place = store.place(large);
  const UniqueFd fd(::open(store.pack(place.pack).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::pwrite(fd.get(), "rot", 3, place.offset + 1000), 3);
  ASSERT_EQ(::fdatasync(fd.get()), 0);
  EXPECT_TRUE(store->checked(large));
  EXPECT_TRUE(store->open(large));  // trusted since it was put
  EXPECT_EQ(store->verify(large).error().code, Errc::corrupt);
  EXPECT_EQ(store->open(large).error().code, Errc::not_found);
  EXPECT_TRUE(store->verify(small));
}

TEST(PackStore, AnUnreadableOrShortPackLosesOnlyItsOwnChunks) {
  TempFolder folder;
  auto options = DiskStore::roomy();
  options.pack_bytes_max = 1u << 20;
  DiskStore store(folder.path(), options);
  std::vector<Digest> ids;
  for (std::uint64_t i = 0; i < 15; ++i) ids.push_back(put(*store, 200'000, i));
  std::vector<ChunkPlace> places;
  for (const Digest& id : ids) places.push_back(store.place(id));
  store.close();
  ASSERT_TRUE(std::filesystem::remove(store.pack(1)));
  std::filesystem::resize_file(store.pack(2), 500'000);
  ASSERT_TRUE(store.open());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool lost = places[i].pack == 1 ||
                      (places[i].pack == 2 && places[i].offset + places[i].size_bytes > 500'000);
    auto bytes = store->get(ids[i]);
    EXPECT_EQ(bytes.has_value(), !lost) << i;
    if (lost) {
      EXPECT_EQ(bytes.error().code, Errc::corrupt);
    }
    EXPECT_EQ(put(*store, 200'000, i), ids[i]);
    EXPECT_EQ(*store->get(ids[i]), noise(200'000, i));
  }
  ASSERT_TRUE(store.open());
  for (const Digest& id : ids) EXPECT_TRUE(store->verify(id));
}

TEST(PackStore, GivesTheBytesOfSweptChunksBackToTheFileSystem) {
  TempFolder folder;
  DiskStore store(folder.path());
  std::vector<Digest> ids;
  std::vector<Bytes> bytes;
  for (std::uint64_t i = 0; i < 100; ++i) bytes.push_back(noise(150'000 + i * 100, i));
  std::vector<ContentStore::Chunk> batch;
  for (const Bytes& chunk : bytes) {
    ids.push_back(sha256(chunk));
    batch.push_back({ids.back(), chunk});
  }
  ASSERT_TRUE(store->put(batch));
  const std::uint64_t before = allocated(store.pack(1)), size = bytes.size() * 150'000;
  EXPECT_GE(before, size);
  // Runs of nine that go, one that stays.
  auto freed = store->sweep([&](const Digest& id) {
    return (std::find(ids.begin(), ids.end(), id) - ids.begin()) % 10 == 9;
  });
  ASSERT_TRUE(freed) << freed.error().what;
  EXPECT_GE(*freed, size * 88 / 100);
  EXPECT_LE(allocated(store.pack(1)), before - size * 88 / 100);
  for (std::size_t i = 9; i < ids.size(); i += 10) EXPECT_TRUE(store->verify(ids[i])) << i;
  // Nothing left to punch, and the rest goes with its file.
  EXPECT_TRUE(ChunkIndex(store.database()).freed(0, 0, 1000)->empty());
  ASSERT_TRUE(store->sweep([](const Digest&) { return false; }));
  EXPECT_FALSE(std::filesystem::exists(store.pack(1)));
  EXPECT_EQ(store->usage()->payload_bytes, 0u);
  EXPECT_TRUE(ChunkIndex(store.database()).freed(0, 0, 1000)->empty()) << "of a file that is gone";
  // A number is never used twice.
  const Digest next = put(*store, 100'000, 999);
  EXPECT_EQ(store.place(next).pack, 2u);
  ASSERT_TRUE(store.open());
  EXPECT_TRUE(store->verify(next));
}

TEST(PackStore, WritesAByteForAByte) {
  TempFolder folder;
  DiskStore store(folder.path());
  constexpr std::uint64_t kChunks = 96;
  const std::uint64_t payload = kChunks * kChunkBytesMax, before = written_bytes();
  std::vector<Digest> ids;
  for (std::uint64_t i = 0; i < kChunks; i += 4) {  // as a transfer would: a few at a time
    std::vector<Bytes> bytes;
    std::vector<ContentStore::Chunk> batch;
    for (std::uint64_t j = i; j < i + 4; ++j) bytes.push_back(noise(kChunkBytesMax, j));
    for (const Bytes& chunk : bytes) batch.push_back({sha256(chunk), chunk});
    for (const auto& chunk : batch) ids.push_back(chunk.id);
    ASSERT_TRUE(store->put(batch));
  }
  const std::uint64_t disk = store->usage()->disk_bytes, written = written_bytes() - before;
  RecordProperty("disk_per_payload", fmt::format("{:.4f}", double(disk) / double(payload)));
  RecordProperty("written_per_payload", fmt::format("{:.4f}", double(written) / double(payload)));
  EXPECT_LE(disk, payload * 105 / 100);
  EXPECT_LE(written, payload * 105 / 100);
  // The database's part hardly grows with the payload; a pack's is a block for each such chunk.
  EXPECT_LE(allocated(store.pack(1)), payload + (kChunks + 2) * kPackBlockBytes);

  const std::uint64_t sweep_before = written_bytes();
  auto freed = store->sweep([&](const Digest& id) { return id == ids[0] || id == ids[30]; });
  ASSERT_TRUE(freed);
  EXPECT_LE(allocated(store.pack(1)), 2 * kChunkBytesMax + 10 * kPackBlockBytes)
      << "also what lies between batches goes";
  const std::uint64_t rewritten = written_bytes() - sweep_before;
  RecordProperty("written_per_freed", fmt::format("{:.4f}", double(rewritten) / double(*freed)));
  EXPECT_LE(rewritten, *freed * 5 / 100);
}

TEST(PackStore, HasABudgetAndAReserveByDefault) {
  TempFolder folder;
  DiskStore store(folder.path(), PackStoreOptions{});
  const auto space = std::filesystem::space(folder.path());
  const auto usage = *store->usage();
  const auto later = std::filesystem::space(folder.path());  // others use the disk too
  EXPECT_NEAR(double(usage.budget_bytes), double(space.capacity) * 0.8,
              double(space.capacity) / 50);
  EXPECT_LE(usage.free_bytes + 200'000'000, std::max(space.available, later.available));
}

TEST(PackStore, RefusesToOpenWithoutItsIndexAndRebuildsIt) {
  TempFolder folder;
  auto options = DiskStore::roomy();
  options.pack_bytes_max = 1u << 20;
  DiskStore store(folder.path(), options);
  std::vector<Digest> kept, swept;
  for (std::uint64_t i = 0; i < 30; ++i) {
    (i % 4 == 1 ? swept : kept).push_back(put(*store, 90'000 + i * 1111, i));
  }
  const Digest inline_chunk = put(*store, 500, 77);
  ASSERT_TRUE(store->sweep(
      [&](const Digest& id) { return std::find(swept.begin(), swept.end(), id) == swept.end(); }));
  store.close();
  std::filesystem::remove_all(folder / "db");
  auto refused = store.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_NE(refused.error().what.find("rebuild"), std::string::npos);
  {
    auto database = *Database::open(folder / "db");
    auto rebuilt = PackStore::rebuild(*database, store.packs());
    ASSERT_TRUE(rebuilt) << rebuilt.error().what;
    EXPECT_GE(rebuilt->chunks, kept.size());
  }
  ASSERT_TRUE(store.open());
  for (const Digest& id : kept) EXPECT_TRUE(store->verify(id));
  EXPECT_EQ(store->get(inline_chunk).error().code, Errc::not_found);
  // It goes on as any other store: appends, sweeps, reopens.
  const Digest fresh = put(*store, 100'000, 1234);
  ASSERT_TRUE(store->sweep([&](const Digest& id) { return id == fresh || id == kept[0]; }));
  ASSERT_TRUE(store.open());
  EXPECT_EQ(store->usage()->chunks, 2u);
  EXPECT_TRUE(store->verify(fresh));
  EXPECT_TRUE(store->verify(kept[0]));
  EXPECT_TRUE(store->quarantined()->empty());
}

TEST(PackStore, ARebuildBesideAWholeIndexKeepsEverything) {
  TempFolder folder;
  DiskStore store(folder.path());
  std::vector<Digest> ids;
  for (std::uint64_t i = 0; i < 12; ++i) ids.push_back(put(*store, 1000 + i * 20'000, i));
  auto source = store->open(ids[11]);  // read by somebody, so that its bytes wait to be punched
  ASSERT_TRUE(store->sweep([&](const Digest& id) { return id != ids[11]; }));
  source = ChunkSource{};
  const std::uint64_t chunks = store->usage()->chunks;
  store.close();
  {
    auto database = *Database::open(folder / "db");
    ASSERT_TRUE(PackStore::rebuild(*database, store.packs()));
  }
  ASSERT_TRUE(store.open());
  EXPECT_EQ(store->usage()->chunks, chunks + 1);  // the forgotten one was still whole
  for (const Digest& id : ids) EXPECT_TRUE(store->verify(id));
}

TEST(ChunkIndex, ForgetsPacksInManySteps) {
  TempFolder folder;
  auto database = *Database::open(folder / "db");
  ChunkIndex index(*database);
  IndexBatch batch;
  for (std::uint32_t i = 0; i < 2500; ++i) {
    batch.put_freed({.pack = 1 + i / 1000, .begin = i * 10, .end = i * 10 + 5});
  }
  for (std::uint32_t i = 1; i <= 3; ++i) batch.put_pack(i, {.end = 4096});
  batch.put_quarantined(
      7, {.id = sha256(to_bytes("rotten")), .place = {.size_bytes = 6}, .why = "rot"});
  ASSERT_TRUE(index.commit(batch));
  ASSERT_EQ(index.freed(0, 0, 5000)->size(), 2500u);
  ASSERT_TRUE(index.erase_packs());
  EXPECT_TRUE(index.freed(0, 0, 5000)->empty());
  EXPECT_TRUE(index.packs()->empty());
  auto quarantined = index.quarantined();
  ASSERT_TRUE(quarantined) << quarantined.error().what;
  EXPECT_EQ(quarantined->size(), 1u) << "stays";
}

TEST(PackStore, RefusesToOpenBesideAnOlderIndex) {
  TempFolder folder;
  auto options = DiskStore::roomy();
  options.pack_bytes_max = 1u << 20;
  DiskStore store(folder.path(), options);
  put(*store, 200'000, 1);
  store.close();
  std::filesystem::copy(folder / "db", folder / "old", std::filesystem::copy_options::recursive);
  ASSERT_TRUE(store.open());
  for (std::uint64_t i = 0; i < 40; ++i) put(*store, 200'000, 10 + i);
  store.close();
  std::filesystem::remove_all(folder / "db");
  std::filesystem::rename(folder / "old", folder / "db");
  auto refused = store.open();
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_TRUE(std::filesystem::exists(store.pack(7)));  // absence never means delete
}

}  // namespace
}  // namespace farboot
