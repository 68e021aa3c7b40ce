#include "common/store/pack_record.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

using test::noise;

/// A pack in memory. A block whose first byte is in `bad` cannot be read.
class MemoryPack final : public PackBytes {
 public:
  MemoryPack() : bytes_(encode_pack_header(1)) {}
  Digest add(std::size_t size, std::uint64_t seed) {
    const Bytes payload = noise(size, seed);
    const Digest id = sha256(payload);
    const auto header = encode_record({.id = id, .size_bytes = static_cast<std::uint32_t>(size)});
    bytes_.insert(bytes_.end(), header.begin(), header.end());
    bytes_.insert(bytes_.end(), payload.begin(), payload.end());
    bytes_.resize(align_up(bytes_.size(), kRecordAlign), 0);
    return id;
  }
  void next_batch() { bytes_.resize(align_up(bytes_.size(), kPackBlockBytes), 0); }
  Bytes& bytes() { return bytes_; }
  std::vector<std::uint64_t> bad;

  std::uint64_t size() const override { return bytes_.size(); }
  bool read(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return false;
    for (const std::uint64_t block : bad) {
      if (offset < block + kPackBlockBytes && block < offset + out.size()) return false;
    }
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return true;
  }
  std::vector<Digest> scan() const {
    std::vector<Digest> found;
    scan_pack(*this, [&](const ScannedRecord& record) { found.push_back(record.header.id); });
    return found;
  }

 private:
  Bytes bytes_;
};

TEST(PackRecord, DecodesWhatItEncodes) {
  const RecordHeader header{.id = sha256(as_bytes("x")), .size_bytes = 77'777};
  EXPECT_EQ(decode_record(encode_record(header)), header);
}

TEST(PackRecord, RefusesAHeaderWithAnyBitFlipped) {
  const auto right = encode_record({.id = sha256(as_bytes("x")), .size_bytes = 77'777});
  for (std::size_t bit = 0; bit < right.size() * 8; ++bit) {
    auto wrong = right;
    wrong[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(decode_record(wrong)) << bit;
  }
  EXPECT_FALSE(decode_record(ByteView(right).first(63)));
}

TEST(PackRecord, RefusesASizeNoChunkHas) {
  EXPECT_FALSE(decode_record(encode_record({.id = {}, .size_bytes = 0})));
  EXPECT_FALSE(decode_record(encode_record({.id = {}, .size_bytes = kChunkBytesMax + 1})));
}

TEST(PackHeader, RefusesAFormatOfTheFuture) {
  Bytes header = encode_pack_header(7);
  EXPECT_EQ(header.size(), kPackBlockBytes);
  EXPECT_TRUE(check_pack_header(header));
  header[8] = 2;
  EXPECT_EQ(check_pack_header(header).error().code, Errc::invalid);
  EXPECT_TRUE(check_pack_header(Bytes(4096, 0)));  // lost: the records speak for themselves
}

TEST(PackScan, FindsEveryRecordOfEveryBatch) {
  MemoryPack pack;
  std::vector<Digest> put;
  for (std::uint64_t i = 0; i < 60; ++i) {
    put.push_back(pack.add(1 + i * 3777, i));
    if (i % 4 == 0) pack.next_batch();
  }
  EXPECT_EQ(pack.scan(), put);
}

TEST(PackScan, StepsOverWhatIsRottenHalfWrittenOrUnreadable) {
  MemoryPack pack;
  const Digest first = pack.add(50'000, 1);
  const std::size_t rotten = pack.bytes().size();
  pack.add(50'000, 2);
  const Digest third = pack.add(50'000, 3);
  const std::size_t headless = pack.bytes().size();
  pack.add(50'000, 4);
  pack.next_batch();
  const std::size_t unreadable = pack.bytes().size();
  pack.add(50'000, 5);
  pack.next_batch();
  const Digest last = pack.add(50'000, 6);
  pack.add(50'000, 7);
  pack.bytes()[rotten + 30'000] ^= 1;
  pack.bytes()[headless + 3] ^= 1;
  pack.bad = {unreadable + 8192};
  pack.bytes().resize(pack.bytes().size() - 10'000);  // the tail was being written
  EXPECT_EQ(pack.scan(), (std::vector<Digest>{first, third, last}));
}

TEST(PackScan, FindsTheRestOfAPackWhoseFreedChunksAreZeros) {
  MemoryPack pack;
  std::vector<Digest> kept;
  std::vector<std::pair<std::size_t, std::size_t>> holes;
  for (std::uint64_t i = 0; i < 30; ++i) {
    const std::size_t begin = pack.bytes().size();
    const Digest id = pack.add(20'000 + i * 501, i);
    if (i % 3 == 0) {
      kept.push_back(id);
    } else {
      holes.emplace_back(align_up(begin, kPackBlockBytes), pack.bytes().size() / 4096 * 4096);
    }
  }
  for (const auto& [begin, end] : holes) {
    std::fill(pack.bytes().begin() + static_cast<std::ptrdiff_t>(begin),
              pack.bytes().begin() + static_cast<std::ptrdiff_t>(end), 0);
  }
  EXPECT_EQ(pack.scan(), kept);
}

TEST(PackScan, EveryTruncationGivesTheWholeRecordsBefore) {
  MemoryPack pack;
  std::vector<std::pair<std::uint64_t, Digest>> ends;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const Digest id = pack.add(100 + i * 37, i);
    const auto size = static_cast<std::uint32_t>(100 + i * 37);
    ends.emplace_back(pack.bytes().size() - record_bytes(size) + kRecordHeaderBytes + size, id);
  }
  const Bytes whole = pack.bytes();
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::size_t length = random() % (whole.size() + 1);
    pack.bytes().assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    std::vector<Digest> whole_ones;
    for (const auto& [end, id] : ends) {
      if (end <= length) whole_ones.push_back(id);
    }
    EXPECT_EQ(pack.scan(), whole_ones) << length;
  }
}

}  // namespace
}  // namespace farboot
