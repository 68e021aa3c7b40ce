#include <gtest/gtest.h>

#include "tests/common/store/store_harness.h"

namespace farboot {
namespace {

FileEntry file(std::string path, const Bytes& bytes) {
  FileEntry entry{.path = std::move(path), .size_bytes = bytes.size(), .sha256 = sha256(bytes)};
  if (!bytes.empty()) {
    entry.chunks.push_back({sha256(bytes), static_cast<std::uint32_t>(bytes.size())});
  }
  return entry;
}

/// More files than one chunk of manifest holds.
Manifest large() {
  Manifest manifest;
  for (int i = 0; i < 30'000; ++i) {
    manifest.files.push_back(file(fmt::format("Packages/package-{:06}.x86_64.rpm", i),
                                  to_bytes(fmt::format("content of {}", i / 2))));
  }
  return manifest;
}

TEST(ManifestStore, KeepsASmallManifestAsOneChunk) {
  MemoryStore store;
  const Manifest manifest{.files = {file("a", to_bytes("one")), file("b", {})}};
  auto digest = put_manifest(store, manifest);
  ASSERT_TRUE(digest) << digest.error().what;
  EXPECT_EQ(store.usage()->chunks, 1u);
  EXPECT_EQ(*get_manifest(store, *digest), manifest);
  auto closure = manifest_closure(store, *digest);
  ASSERT_TRUE(closure);
  ASSERT_EQ(closure->size(), 2u);
  EXPECT_EQ(closure->at(0).id, *digest);
  EXPECT_EQ(closure->at(1), manifest.files[0].chunks[0]);
}

TEST(ManifestStore, KeepsALargeManifestInParts) {
  MemoryStore store;
  const Manifest manifest = large();
  auto digest = put_manifest(store, manifest);
  ASSERT_TRUE(digest) << digest.error().what;
  const std::uint64_t stored = store.usage()->chunks;
  EXPECT_GT(stored, 2u);
  EXPECT_EQ(*get_manifest(store, *digest), manifest);
  auto closure = manifest_closure(store, *digest);
  ASSERT_TRUE(closure);
  EXPECT_EQ(closure->size(),
            stored + 15'000);  // files share their content in pairs
  EXPECT_EQ(closure->at(0).id, *digest);
  EXPECT_EQ(closure->at(stored), manifest.files[0].chunks[0]);
}

TEST(ManifestStore, NamesAPartThatIsMissing) {
  MemoryStore store;
  const Manifest manifest = large();
  const Digest digest = *put_manifest(store, manifest);
  const Digest part = manifest_closure(store, digest)->at(1).id;
  ASSERT_TRUE(store.sweep([&](const Digest& id) { return id != part; }));
  auto refused = get_manifest(store, digest);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_NE(refused.error().what.find(part.hex()), std::string::npos) << refused.error().what;
  EXPECT_EQ(get_manifest(store, sha256(as_bytes("x"))).error().code, Errc::not_found);
}

TEST(ManifestStore, RefusesAChunkThatIsNoManifest) {
  MemoryStore store;
  const Bytes bytes = test::noise(5000, 1);
  ASSERT_TRUE(store.put(sha256(bytes), bytes));
  EXPECT_EQ(get_manifest(store, sha256(bytes)).error().code, Errc::invalid);
}

}  // namespace
}  // namespace farboot
