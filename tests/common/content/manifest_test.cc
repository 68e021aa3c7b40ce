#include "common/content/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "samples.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

/// More than 1 MiB of manifest: lies in the store as a root and parts.
Manifest large_manifest() {
  Manifest manifest;
  for (int i = 0; i < 20'000; ++i)
    manifest.files.push_back(file_of(fmt::format("Packages/{:05}.rpm", i), std::to_string(i)));
  return manifest;
}

std::string refusal_of_manifest(Manifest manifest) {
  auto bytes = encode_manifest(manifest);
  return bytes ? "accepted" : bytes.error().what;
}

TEST(Manifest, ComesBackAsItWas) {
  const Manifest manifest = sample_manifest();
  auto bytes = encode_manifest(manifest);
  ASSERT_TRUE(bytes) << bytes.error().what;
  auto again = decode_manifest(*bytes);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, manifest);
  EXPECT_EQ(decode_manifest(*encode_manifest(Manifest{}))->files.size(), 0u);
}

// On disk and on wire: if this digest changes, every site's manifests do. Then it is version 2.
TEST(Manifest, HasTheBytesOfVersionOne) {
  EXPECT_EQ(sha256(*encode_manifest(sample_manifest())).hex(),
            "a8dcce07b9ac3ca77fd75d76e1578426f629acdabd2b5891414551eb802ace2c");
}

TEST(Manifest, FindsByPath) {
  const Manifest manifest = sample_manifest();
  ASSERT_NE(manifest.find("LiveOS/squashfs.img"), nullptr);
  EXPECT_EQ(manifest.find("LiveOS/squashfs.img")->size_bytes, 3'000'000u);
  EXPECT_EQ(manifest.find("LiveOS"), nullptr);
  EXPECT_EQ(manifest.find("zzz"), nullptr);
  EXPECT_EQ(manifest.size_bytes(), 3'000'013u);
}

TEST(Manifest, RefusesEveryTruncationAndEveryAppendedByte) {
  Bytes bytes = *encode_manifest(sample_manifest());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_FALSE(decode_manifest(ByteView(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_FALSE(decode_manifest(bytes));
}

TEST(Manifest, SurvivesEveryFlippedBit) {
  const Bytes bytes = *encode_manifest(sample_manifest());
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    Bytes flipped = bytes;
    flipped[i / 8] ^= static_cast<std::uint8_t>(1u << i % 8);
    // Either refused, or a manifest whose only encoding is these very bytes.
    if (auto manifest = decode_manifest(flipped)) {
      EXPECT_EQ(*encode_manifest(*manifest), flipped) << i;
    }
  }
}

TEST(Manifest, RefusesAnnouncementsThatTheBytesCannotHold) {
  Bytes bytes = *encode_manifest(Manifest{});
  bytes[8] = bytes[9] = bytes[10] = 0xff;  // 16 million files in no bytes
  EXPECT_FALSE(decode_manifest(bytes));
}

TEST(Manifest, NamesTheVersionItCannotRead) {
  Bytes bytes = *encode_manifest(sample_manifest());
  bytes[4] = 2;
  EXPECT_THAT(decode_manifest(bytes).error().what, HasSubstr("version 2"));
}

TEST(Manifest, IsRefusedWhenUnsortedOrDoubled) {
  Manifest manifest;
  manifest.files = {file_of("b", "1"), file_of("a", "1")};
  EXPECT_THAT(refusal_of_manifest(manifest), HasSubstr("'a'"));
  manifest.files = {file_of("a", "1"), file_of("a", "1")};
  EXPECT_THAT(refusal_of_manifest(manifest), HasSubstr("twice"));
}

TEST(Manifest, IsRefusedWhenSizesDoNotAddUp) {
  Manifest manifest = sample_manifest();
  manifest.files[2].size_bytes += 1;
  EXPECT_THAT(refusal_of_manifest(manifest), HasSubstr("LiveOS/squashfs.img"));
  manifest = sample_manifest();
  manifest.files[2].chunks[1].size_bytes = kChunkBytesMax + 1;
  EXPECT_THAT(refusal_of_manifest(manifest), HasSubstr("chunk of 1048577"));
  manifest = sample_manifest();
  manifest.files[0].chunks[0].size_bytes = 0;
  EXPECT_THAT(refusal_of_manifest(manifest), HasSubstr("chunk of 0"));
}

TEST(Manifest, IsRefusedWithOtherThanPermissionBits) {
  Manifest manifest = sample_manifest();
  manifest.files[0].mode = 0100644;
  EXPECT_THAT(refusal_of_manifest(manifest), HasSubstr("mode"));
}

TEST(StoredManifest, IsOneChunkWhileItFits) {
  const auto stored = to_stored(sample_manifest());
  ASSERT_TRUE(stored);
  EXPECT_TRUE(stored->parts.empty());
  EXPECT_EQ(stored->digest, sha256(stored->root));
  EXPECT_TRUE(manifest_parts(stored->root)->empty());
  EXPECT_EQ(*decode_manifest(stored->root), sample_manifest());
}

TEST(StoredManifest, IsARootAndPartsWhenItIsLong) {
  const Manifest manifest = large_manifest();
  const auto stored = to_stored(manifest);
  ASSERT_TRUE(stored);
  ASSERT_EQ(stored->parts.size(), 2u);
  const auto parts = manifest_parts(stored->root);
  ASSERT_TRUE(parts) << parts.error().what;
  Bytes flat;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    EXPECT_EQ((*parts)[i].id, sha256(stored->parts[i]));
    EXPECT_EQ((*parts)[i].size_bytes, stored->parts[i].size());
    flat.insert(flat.end(), stored->parts[i].begin(), stored->parts[i].end());
  }
  EXPECT_EQ(*decode_manifest(flat), manifest);
  EXPECT_FALSE(decode_manifest(stored->root));  // a root is not a flat manifest
}

TEST(StoredManifest, RefusesADamagedRoot) {
  const Bytes root = to_stored(large_manifest())->root;
  for (std::size_t size = 0; size < root.size(); ++size)
    ASSERT_FALSE(manifest_parts(ByteView(root).first(size))) << size;
  Bytes wrong = root;
  wrong.back() ^= 1;  // the size of the last part
  EXPECT_FALSE(manifest_parts(wrong));
}

TEST(TreePath, TakesWhatAManifestMayHold) {
  for (const char* path : {"a", ".treeinfo", "a/b", "...", "a b/c:d", "gr\xc3\xbc\xc3\x9f"})
    EXPECT_TRUE(is_tree_path(path)) << path;
  EXPECT_TRUE(is_tree_path(std::string(kPathBytesMax, 'x')));
}

TEST(TreePath, RefusesWhatCouldLeaveTheTreeOrALogLine) {
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\nb",
                           "a\x7f", "\xff", "\xed\xa0\x80"})
    EXPECT_FALSE(is_tree_path(path)) << path;
  EXPECT_FALSE(is_tree_path(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_tree_path(std::string(kPathBytesMax + 1, 'x')));
}

}  // namespace
}  // namespace farboot
