#include "common/content/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

namespace farboot {
namespace {

/// The same bytes on every machine and library: mt19937_64 is fixed by the C++ standard.
Bytes noise(std::size_t size_bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size_bytes);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 56);
  return bytes;
}

struct Pieces {
  std::vector<Digest> ids;
  std::vector<std::size_t> sizes;
  Bytes joined;
};

/// Feeds `data` in portions of `portion` bytes.
Pieces cut(Cutting cutting, ByteView data, std::size_t portion) {
  Pieces pieces;
  const auto keep = [&pieces](ByteView chunk) {
    pieces.ids.push_back(sha256(chunk));
    pieces.sizes.push_back(chunk.size());
    pieces.joined.insert(pieces.joined.end(), chunk.begin(), chunk.end());
  };
  Chunker chunker(cutting);
  while (!data.empty()) {
    ByteView part = data.first(std::min(portion, data.size()));
    data = data.subspan(part.size());
    while (!part.empty()) {
      const Chunker::Step step = chunker.push(part);
      if (!step.chunk.empty()) keep(step.chunk);
      part = part.subspan(step.used);
    }
  }
  if (const ByteView last = chunker.finish(); !last.empty()) keep(last);
  return pieces;
}

TEST(Chunker, CutsFixedPiecesOfOneMebibyte) {
  const Bytes data = noise(2 * kChunkBytesMax + 17, 1);
  const Pieces pieces = cut(Cutting::fixed, data, 10'000);
  EXPECT_EQ(pieces.sizes, (std::vector<std::size_t>{kChunkBytesMax, kChunkBytesMax, 17}));
  EXPECT_EQ(pieces.joined, data);
}

TEST(Chunker, GivesNothingForNothing) {
  EXPECT_TRUE(Chunker(Cutting::fixed).finish().empty());
  EXPECT_TRUE(Chunker(Cutting::content).finish().empty());
}

TEST(Chunker, CutsTheSameHoweverTheBytesCome) {
  const Bytes data = noise(3'000'000, 2);
  for (const Cutting cutting : {Cutting::fixed, Cutting::content}) {
    const Pieces whole = cut(cutting, data, data.size());
    EXPECT_EQ(whole.joined, data);
    for (const std::size_t portion : {1000u, 16'384u, 65'536u, 1'048'577u})
      EXPECT_EQ(cut(cutting, data, portion).ids, whole.ids) << portion;
  }
}

TEST(Chunker, StartsAnewAfterFinish) {
  const Bytes data = noise(300'000, 3);
  Chunker chunker(Cutting::content);
  (void)chunker.push(ByteView(data).first(9'000));
  EXPECT_EQ(chunker.finish().size(), 9'000u);
  const Chunker::Step step = chunker.push(data);
  EXPECT_EQ(step.chunk.size(), cut(Cutting::content, data, data.size()).sizes.front());
}

// On disk: other cut points are other chunks, and every site would fetch them again.
TEST(Chunker, CutsWhereItAlwaysDid) {
  const Pieces pieces = cut(Cutting::content, noise(8u << 20, 4), 1u << 20);
  std::string sizes;
  for (const std::size_t size : pieces.sizes) sizes += fmt::format("{} ", size);
  EXPECT_EQ(sha256(as_bytes(sizes)).hex(),
            "95e98c1c34826b573f28041b07de6a58c878a7e60eefd9b3b43feb069866a866")
      << sizes;
}

TEST(Chunker, KeepsItsSizes) {
  const Pieces pieces = cut(Cutting::content, noise(16u << 20, 5), 1u << 20);
  const std::size_t average = (16u << 20) / pieces.sizes.size();
  EXPECT_GT(average, 48u * 1024);
  EXPECT_LT(average, 96u * 1024);
  for (std::size_t i = 0; i + 1 < pieces.sizes.size(); ++i) {
    EXPECT_GE(pieces.sizes[i], 16u * 1024);
    EXPECT_LE(pieces.sizes[i], kChunkBytesMax);
  }
  // Bytes without any cut point: pieces of the largest size.
  EXPECT_EQ(cut(Cutting::content, Bytes(3u << 20, 0), 70'000).sizes.front(), kChunkBytesMax);
}

TEST(Chunker, FindsItsCutsAgainBehindAnEdit) {
  const Bytes before = noise(8u << 20, 6);
  Bytes after = before;
  const Bytes inserted = noise(777, 7);
  after.insert(after.begin() + 100'000, inserted.begin(), inserted.end());
  after[2'000'000] ^= 0xff;
  const Pieces old_pieces = cut(Cutting::content, before, 1u << 20);
  const Pieces new_pieces = cut(Cutting::content, after, 1u << 20);
  const std::set<Digest> held(old_pieces.ids.begin(), old_pieces.ids.end());
  const auto changed = std::count_if(new_pieces.ids.begin(), new_pieces.ids.end(),
                                     [&](const Digest& id) { return !held.contains(id); });
  EXPECT_GE(changed, 2);
  EXPECT_LE(changed, 6);
  EXPECT_GT(new_pieces.ids.size(), 80u);
}

TEST(Cutting, FollowsContentOnlyInLargeImages) {
  constexpr std::uint64_t kLarge = 500u << 20;
  const auto head = [](std::size_t offset, std::string_view magic) {
    Bytes bytes(kCuttingHeadBytes);
    std::copy(magic.begin(), magic.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return bytes;
  };
  const Bytes squashfs = head(0, "hsqs");
  EXPECT_EQ(cutting_for("LiveOS/squashfs.img", kLarge, squashfs), Cutting::content);
  EXPECT_EQ(cutting_for("install/filesystem", kLarge, squashfs), Cutting::content);
  EXPECT_EQ(cutting_for("images/disk", kLarge, head(510, "\x55\xaa")), Cutting::content);
  EXPECT_EQ(cutting_for("sources/install.wim", kLarge, Bytes(10)), Cutting::content);
  EXPECT_EQ(cutting_for("LiveOS/squashfs.img", 1u << 20, squashfs), Cutting::fixed);
  EXPECT_EQ(cutting_for("Packages/kernel.rpm", kLarge, head(0, "\xed\xab\xee\xdb")),
            Cutting::fixed);
  EXPECT_EQ(cutting_for("images/pxeboot/initrd.img", kLarge, head(0, "\x1f\x8b\x08")),
            Cutting::fixed);
  Bytes kernel = head(510, "\x55\xaa");
  std::copy_n("HdrS", 4, kernel.begin() + 0x202);
  EXPECT_EQ(cutting_for("images/pxeboot/vmlinuz", kLarge, kernel), Cutting::fixed);
  EXPECT_EQ(cutting_for("repodata/primary.sqlite", kLarge, Bytes(10)), Cutting::fixed);
}

}  // namespace
}  // namespace farboot
