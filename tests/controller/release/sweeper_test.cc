#include "controller/release/sweeper.h"

#include <gtest/gtest.h>

#include <future>

#include "common/store/memory_state.h"
#include "common/store/memory_store.h"

namespace farboot {
namespace {

class SweeperTest : public ::testing::Test {
 protected:
  Digest put_tree(std::string_view content) {
    const Digest chunk = sha256(as_bytes(content));
    EXPECT_TRUE(content_.put(chunk, as_bytes(content)));
    FileEntry file{
        "file", 0644, content.size(), chunk, {{chunk, static_cast<std::uint32_t>(content.size())}}};
    const auto manifest = put_manifest(content_, Manifest{{file}});
    EXPECT_TRUE(manifest);
    return *manifest;
  }
  bool holds(const Digest& id) { return content_.missing(std::span(&id, 1))->empty(); }

  MemoryState state_;
  MemoryStore content_;
  SigningKey key_ = SigningKey::generate();
  ImageBook images_{state_};
  ReleaseBook releases_{state_, key_};
  std::set<Digest> live_;
  Sweeper sweeper_{content_, images_, releases_,
                   [this] { return Result<std::set<Digest>>(live_); }};
};

TEST_F(SweeperTest, FreesWhatNothingNames) {
  Image image;
  image.name = "kept";
  image.tag = "1";
  image.manifest = put_tree("kept tree");
  ASSERT_TRUE(images_.add(image, "", {}));
  const Digest loaders = put_tree("loaders");
  ASSERT_TRUE(images_.set_loaders({loaders, {}, {}, {}}));
  const Digest assets = put_tree("assets of a live release");
  Release content;
  content.menu.title = "x";
  content.assets = assets;
  Transaction transaction;
  const auto release = releases_.prepare(content, std::nullopt, {}, transaction);
  ASSERT_TRUE(release) << release.error().what;
  ASSERT_TRUE(state_.commit(transaction));
  live_.insert(release->digest);
  const Digest gone = put_tree("gone tree");

  const auto freed = sweeper_.sweep();
  ASSERT_TRUE(freed) << freed.error().what;
  ASSERT_TRUE(*freed);
  EXPECT_GT(**freed, 0u);
  EXPECT_FALSE(holds(gone));
  EXPECT_FALSE(holds(sha256(as_bytes("gone tree"))));
  for (const Digest& kept : {image.manifest, loaders, assets, sha256(as_bytes("kept tree"))})
    EXPECT_TRUE(holds(kept));
}

TEST_F(SweeperTest, WaitsForAnImportThatIsNotRecordedYet) {
  std::optional<Sweeper::Writing> import(std::in_place, sweeper_);
  const Digest unnamed = put_tree("being imported");
  const auto swept = sweeper_.sweep();
  ASSERT_TRUE(swept);
  EXPECT_FALSE(*swept) << "put off";
  EXPECT_TRUE(holds(unnamed));
  Image image;
  image.name = "new";
  image.tag = "1";
  image.manifest = unnamed;
  ASSERT_TRUE(images_.add(image, "", {}));
  const Digest garbage = sha256(as_bytes("garbage"));
  ASSERT_TRUE(content_.put(garbage, as_bytes("garbage")));
  import.reset();
  EXPECT_TRUE(holds(unnamed));
  EXPECT_FALSE(holds(garbage)) << "the sweep that was put off came when the import ended";
}

TEST_F(SweeperTest, FreesNothingWhenARootCannotBeRead) {
  Image image;
  image.name = "broken";
  image.tag = "1";
  image.manifest = sha256(as_bytes("nowhere"));
  ASSERT_TRUE(images_.add(image, "", {}));
  const Digest other = put_tree("other");
  EXPECT_FALSE(sweeper_.sweep());
  EXPECT_TRUE(holds(other));
  EXPECT_FALSE(sweeper_.sweep()) << "and it is not stuck";
}

}  // namespace
}  // namespace farboot
