#include "agent/catalog/blob_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "common/store/database.h"
#include "common/store/memory_store.h"
#include "common/store/pack_store.h"
#include "tests/support/site_content.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

constexpr std::size_t kPiece = 40'000;  // beyond what lies inline

CatalogFile catalogued(FileEntry entry) {
  auto tree = std::make_shared<Manifest>();
  tree->files.push_back(std::move(entry));
  return {tree, &tree->files.front(), Digest(), WallTime()};
}

/// All bytes of `length` from `offset`, as a sender would get them: window after window.
Bytes by_windows(BlobReader& reader, std::uint64_t offset, std::uint64_t length,
                 const BlobWindowLimits& limits) {
  Bytes out;
  while (out.size() < length) {
    auto window = reader.open(offset + out.size(), length - out.size(), limits);
    EXPECT_TRUE(window) << window.error().what;
    if (!window) return out;
    EXPECT_FALSE(window->empty());
    for (const BlobSegment& segment : *window) {
      Bytes piece(segment.size_bytes);
      EXPECT_TRUE(copy_segment(segment, 0, piece));
      out.insert(out.end(), piece.begin(), piece.end());
    }
  }
  return out;
}

class BlobReaderTest : public ::testing::Test {
 protected:
  BlobReaderTest() {
    auto database = Database::open((folder_ / "db").string());
    EXPECT_TRUE(database) << database.error().what;
    database_ = std::move(*database);
    auto store = PackStore::open(*database_, (folder_ / "packs").string());
    EXPECT_TRUE(store) << store.error().what;
    packs_ = std::move(*store);
  }

  TempFolder folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<PackStore> packs_;
};

TEST_F(BlobReaderTest, ReadsEveryStretchAsItWas) {
  MemoryStore memory;
  for (ContentStore* store :
       {static_cast<ContentStore*>(&memory), static_cast<ContentStore*>(packs_.get())}) {
    const Bytes bytes = sample_bytes(5 * kPiece + 123, 7);
    const CatalogFile file = catalogued(keep_file(*store, "f", bytes, kPiece));
    BlobReader reader(*store, file);
    for (const std::size_t offset :
         {std::size_t{0}, std::size_t{1}, kPiece - 1, kPiece, 3 * kPiece + 17, bytes.size() - 1}) {
      for (const std::size_t length : {std::size_t{1}, kPiece, 2 * kPiece + 5, bytes.size()}) {
        const std::size_t inside = std::min(length, bytes.size() - offset);
        const ByteView wanted = ByteView(bytes).subspan(offset, inside);
        auto read = reader.read(offset, length);
        ASSERT_TRUE(read) << read.error().what;
        ASSERT_TRUE(std::equal(wanted.begin(), wanted.end(), read->begin(), read->end()));
        BlobReader other(*store, file);
        const Bytes sent = by_windows(other, offset, inside, {.bytes_max = 2 * kPiece});
        ASSERT_TRUE(std::equal(wanted.begin(), wanted.end(), sent.begin(), sent.end()));
      }
    }
  }
}

TEST_F(BlobReaderTest, ReadsNothingBeyondTheEnd) {
  const Bytes bytes = sample_bytes(100, 1);
  BlobReader reader(*packs_, catalogued(keep_file(*packs_, "f", bytes)));
  auto tail = reader.read(90, 512);
  ASSERT_TRUE(tail);
  EXPECT_EQ(tail->size(), 10u);
  auto beyond = reader.read(100, 512);
  ASSERT_TRUE(beyond);
  EXPECT_TRUE(beyond->empty());
}

TEST_F(BlobReaderTest, OpensOneUncheckedChunkAtATime) {
  const Bytes bytes = sample_bytes(4 * kPiece, 2);
  const CatalogFile file = catalogued(keep_file(*packs_, "f", bytes, kPiece));
  packs_.reset();  // what was put is trusted; what a start finds is not
  auto again = PackStore::open(*database_, (folder_ / "packs").string());
  ASSERT_TRUE(again) << again.error().what;
  packs_ = std::move(*again);

  BlobReader cold(*packs_, file);
  auto first = cold.open(0, bytes.size());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->size(), 1u);
  for (const ChunkRef& chunk : file.entry->chunks) ASSERT_TRUE(packs_->open(chunk.id));
  BlobReader warm(*packs_, file);
  auto all = warm.open(0, bytes.size());
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 4u);
}

TEST_F(BlobReaderTest, KeepsWithinItsLimits) {
  const Bytes bytes = sample_bytes(6 * kPiece, 3);
  BlobReader reader(*packs_, catalogued(keep_file(*packs_, "f", bytes, kPiece)));
  auto by_bytes = reader.open(0, bytes.size(), {.bytes_max = 2 * kPiece});
  ASSERT_TRUE(by_bytes);
  EXPECT_EQ(by_bytes->size(), 2u);
  auto by_count = reader.open(0, bytes.size(), {.segments_max = 3});
  ASSERT_TRUE(by_count);
  EXPECT_EQ(by_count->size(), 3u);
}

TEST_F(BlobReaderTest, GivesWhatCameBeforeALostChunkThenItsError) {
  const Bytes bytes = sample_bytes(3 * kPiece, 4);
  FileEntry entry = keep_file(*packs_, "dir/f", bytes, kPiece);
  entry.chunks[1].id = sha256(as_bytes("absent"));
  BlobReader reader(*packs_, catalogued(std::move(entry)));
  auto first = reader.open(0, bytes.size());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->size(), 1u);
  auto second = reader.open(kPiece, bytes.size() - kPiece);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::not_found);
  EXPECT_NE(second.error().what.find("dir/f"), std::string::npos);
}

TEST_F(BlobReaderTest, RefusesAChunkOfAnotherSize) {
  const Bytes bytes = sample_bytes(kPiece, 5);
  FileEntry entry = keep_file(*packs_, "f", bytes, kPiece);
  entry.chunks[0].size_bytes = kPiece / 2;
  entry.size_bytes = kPiece / 2;
  BlobReader reader(*packs_, catalogued(std::move(entry)));
  auto opened = reader.open(0, kPiece / 2);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
}

TEST_F(BlobReaderTest, OpensAtOnceOnlyWhatIsKnownToBeGood) {
  const Bytes bytes = sample_bytes(5 * kPiece, 7);
  const CatalogFile file = catalogued(keep_file(*packs_, "f", bytes, kPiece));
  BlobReader reader(*packs_, file);
  WarmChunks warm;
  const SteadyTime now{Seconds(100)};
  EXPECT_TRUE(reader.open_at_once(0, bytes.size(), {}, warm, now).empty());
  ASSERT_TRUE(reader.open(0, 2 * kPiece));
  auto known = reader.open_at_once(100, bytes.size() - 100, {}, warm, now);
  ASSERT_EQ(known.size(), 2U) << "the first two, and not the third";
  EXPECT_EQ(known[0].offset, 100U);
  Bytes sent;
  for (const BlobSegment& segment : known) {
    Bytes piece(segment.size_bytes);
    ASSERT_TRUE(copy_segment(segment, 0, piece));
    sent.insert(sent.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(sent, Bytes(bytes.begin() + 100, bytes.begin() + 2 * kPiece));
  ASSERT_TRUE(reader.open(2 * kPiece, 3 * kPiece));
  EXPECT_EQ(reader.open_at_once(0, bytes.size(), {.segments_max = 3}, warm, now).size(), 3U);
  EXPECT_EQ(reader.open_at_once(0, bytes.size(), {.bytes_max = kPiece + 1}, warm, now).size(), 2U);
  EXPECT_EQ(reader.open_at_once(0, 1, {}, warm, now).at(0).size_bytes, 1U);
}

/// False: this file system evicts nothing. Looks by mincore(2): a read that may not wait starts
/// reading ahead all the same. What is still on its way from the disk cannot be dropped and comes
/// back after the look: so everything is read first.
bool evict(const BlobSegment& segment) {
  const int fd = segment.source.fd;
  const auto begin = static_cast<off_t>(segment.source.offset & ~std::uint64_t{4095});
  void* const mapping = ::mmap(nullptr, segment.size_bytes, PROT_NONE, MAP_SHARED, fd, begin);
  if (mapping == MAP_FAILED) return false;
  bool gone = false;
  for (int tries = 0; tries < 10 && !gone; ++tries) {
    Bytes all(segment.size_bytes);
    if (!copy_segment(segment, 0, all)) break;
    ::fsync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    std::vector<unsigned char> pages(segment.size_bytes / 4096 + 1);
    if (::mincore(mapping, segment.size_bytes, pages.data()) != 0) break;
    gone = std::none_of(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
  }
  ::munmap(mapping, segment.size_bytes);
  return gone;
}

TEST_F(BlobReaderTest, OpensNothingAtOnceThatWasEvicted) {
  const Bytes bytes = sample_bytes(kChunkBytesMax, 9);
  const CatalogFile file = catalogued(keep_file(*packs_, "f", bytes, kChunkBytesMax));
  BlobReader reader(*packs_, file);
  WarmChunks warm;
  const SteadyTime now{Seconds(100)};
  const auto window = reader.open(0, bytes.size());
  ASSERT_TRUE(window);
  // The kernel may keep pages for a while, or have read them again before the answer is there.
  const auto opens_nothing = [&](SteadyTime when) -> std::optional<bool> {
    int evicted = 0;
    for (int tries = 0; tries < 500 && evicted < 50; ++tries) {
      if (!evict(window->front())) continue;
      ++evicted;
      WarmChunks known = warm;  // what is found in memory is remembered
      if (reader.open_at_once(0, bytes.size(), {}, known, when).empty()) return true;
    }
    return evicted < 50 ? std::nullopt : std::optional(false);
  };
  const auto cold = opens_nothing(now);
  if (!cold) GTEST_SKIP() << "this file system evicts nothing";
  EXPECT_TRUE(*cold);
  warm.seen(file.entry->chunks[0].id, now);
  EXPECT_EQ(reader.open_at_once(0, bytes.size(), {}, warm, now + kWarmTime / 2).size(), 1U);
  const auto later = opens_nothing(now + kWarmTime);
  ASSERT_TRUE(later) << "it evicted a moment ago";
  EXPECT_TRUE(*later);
  ASSERT_TRUE(reader.open(0, bytes.size()));  // reads it back
  EXPECT_EQ(reader.open_at_once(0, bytes.size(), {}, warm, now + kWarmTime).size(), 1U);
}

TEST_F(BlobReaderTest, ReadsBackIntoMemoryWhatWasEvicted) {
  const Bytes bytes = sample_bytes(kChunkBytesMax, 6);
  BlobReader reader(*packs_, catalogued(keep_file(*packs_, "f", bytes)));
  auto window = reader.open(0, bytes.size());
  ASSERT_TRUE(window);
  const BlobSegment& segment = window->front();
  int tries = 0;  // a busy kernel may hold a page for a moment
  while (tries < 50 && !evict(segment)) ++tries;
  if (tries == 50) GTEST_SKIP() << "this file system evicts nothing";
  make_resident(segment, 0);
  EXPECT_TRUE(is_resident(segment, 0, kChunkBytesMax));
}

}  // namespace
}  // namespace farboot
