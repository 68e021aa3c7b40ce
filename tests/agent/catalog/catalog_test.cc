#include "agent/catalog/catalog.h"

#include <gtest/gtest.h>

#include <deque>

#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "tests/support/site_content.h"

namespace farboot {
namespace {

class CatalogTest : public ::testing::Test {
 protected:
  /// A release of one image with one file of its own.
  SignedDocument release(std::uint64_t number) {
    Release made;
    made.number = number;
    made.created = WallTime(Seconds(1'700'000'000 + number));
    made.images.push_back(sample_image("centos7", fmt::format("t{}", number), tree(number)));
    return sign_release(made);
  }
  Digest tree(std::uint64_t number) {
    return keep_tree(store_, {{"file", sample_bytes(100, number)}});
  }
  std::shared_ptr<const Snapshot> activate(Catalog& catalog, const SignedDocument& document) {
    auto snapshot = load_snapshot(store_, document, catalog.active().get());
    EXPECT_TRUE(snapshot) << snapshot.error().what;
    auto committed = catalog.commit_active(document);
    EXPECT_TRUE(committed) << committed.error().what;
    catalog.publish(*snapshot);
    return *snapshot;
  }
  Catalog& reopened() {
    Catalog& catalog = opened_.emplace_back(store_, state_);
    EXPECT_TRUE(catalog.open(nullptr));
    return catalog;
  }

  MemoryStore store_;
  MemoryState state_;
  std::deque<Catalog> opened_;
};

TEST_F(CatalogTest, ServesNothingThatItsFleetDidNotSign) {
  const SigningKey key = SigningKey::generate();
  Release made;
  made.number = 1;
  made.images.push_back(sample_image("centos7", "t1", tree(1)));
  SignedDocument document = key.sign(DocumentKind::release, encode_release(made));
  Catalog& catalog = reopened();
  activate(catalog, document);
  const VerifyKey trusted = key.verify_key();
  {
    Catalog again(store_, state_);
    ASSERT_TRUE(again.open(&trusted));
    EXPECT_NE(again.active(), nullptr);
    EXPECT_EQ(again.refused(), 0u);
  }
  made.images[0].name = "centos8";  // as somebody would who has the disk in hand
  document.document = encode_release(made);
  activate(catalog, document);
  Catalog again(store_, state_);
  ASSERT_TRUE(again.open(&trusted));
  ASSERT_NE(again.active(), nullptr) << "the previous one serves";
  EXPECT_NE(again.active()->release.image("centos7@t1"), nullptr);
  EXPECT_EQ(again.active()->release.images[0].name, "centos7");
  EXPECT_EQ(again.refused(), 1u);
}

TEST_F(CatalogTest, HasNothingToServeBeforeTheFirstRelease) {
  const Catalog& catalog = reopened();
  EXPECT_EQ(catalog.active(), nullptr);
  EXPECT_EQ(catalog.find_tree(tree(1), "file").entry, nullptr);
}

TEST_F(CatalogTest, ServesAfterARestartWhatWasActive) {
  Catalog& before = reopened();
  activate(before, release(1));
  activate(before, release(2));

  const Catalog& after = reopened();
  ASSERT_NE(after.active(), nullptr);
  EXPECT_EQ(after.active()->release.number, 2u);
  EXPECT_NE(after.find_tree(tree(1), "file").entry, nullptr) << "previous";
  EXPECT_NE(after.find_tree(tree(2), "file").entry, nullptr);
}

TEST_F(CatalogTest, KeepsOnlyActiveAndPreviousReachable) {
  Catalog& catalog = reopened();
  for (std::uint64_t number = 1; number <= 3; ++number) activate(catalog, release(number));
  EXPECT_EQ(catalog.find_tree(tree(1), "file").entry, nullptr);
  EXPECT_NE(catalog.find_tree(tree(2), "file").entry, nullptr);
  const CatalogFile found = catalog.find_tree(tree(3), "file");
  ASSERT_NE(found.entry, nullptr);
  EXPECT_EQ(found.modified, catalog.active()->release.created);
}

TEST_F(CatalogTest, ActivatingTwiceKeepsThePreviousRelease) {
  Catalog& catalog = reopened();
  activate(catalog, release(1));
  activate(catalog, release(2));
  activate(catalog, release(2));
  EXPECT_NE(catalog.find_tree(tree(1), "file").entry, nullptr);
  auto stored = catalog.stored();
  ASSERT_TRUE(stored);
  ASSERT_NE(stored->previous, nullptr);
  EXPECT_EQ(stored->previous->digest(), release(1).digest());
}

TEST_F(CatalogTest, ActivatingTakesAReleaseOffTheStage) {
  Catalog& catalog = reopened();
  ASSERT_TRUE(catalog.commit_staged(release(1)));
  auto staged = catalog.stored();
  ASSERT_TRUE(staged);
  ASSERT_NE(staged->staged, nullptr);
  EXPECT_EQ(staged->active, nullptr);

  activate(catalog, release(1));
  auto active = catalog.stored();
  ASSERT_TRUE(active);
  EXPECT_EQ(active->staged, nullptr);
  ASSERT_NE(active->active, nullptr);
  EXPECT_EQ(active->active->digest(), release(1).digest());
}

TEST_F(CatalogTest, PublishesNothingUntilToldTo) {
  Catalog& catalog = reopened();
  activate(catalog, release(1));
  ASSERT_TRUE(catalog.commit_active(release(2)));
  EXPECT_EQ(catalog.active()->release.number, 1u);
}

TEST_F(CatalogTest, FindsPinnedTreesUntilUnpinned) {
  Catalog& catalog = reopened();
  const auto first = activate(catalog, release(1));
  catalog.pin("attempt", tree(1), first->trees.at(tree(1)));
  activate(catalog, release(2));
  activate(catalog, release(3));
  EXPECT_NE(catalog.find_tree(tree(1), "file").entry, nullptr);
  catalog.unpin("attempt");
  EXPECT_EQ(catalog.find_tree(tree(1), "file").entry, nullptr);
}

TEST_F(CatalogTest, FindsPinnedTreesAfterARestart) {
  {
    Catalog& catalog = reopened();
    for (std::uint64_t number = 1; number <= 4; ++number) activate(catalog, release(number));
  }
  ASSERT_TRUE(state_.put(pin_key("attempt"), pin_value({tree(1), tree(2)})));
  ASSERT_TRUE(state_.put(pin_key("broken"), "no digest\n" + sha256(as_bytes("absent")).hex()));
  Catalog& catalog = reopened();
  EXPECT_NE(catalog.find_tree(tree(1), "file").entry, nullptr);
  EXPECT_NE(catalog.find_tree(tree(2), "file").entry, nullptr);
  EXPECT_EQ(catalog.find_tree(tree(2), "other").entry, nullptr);
  catalog.unpin("attempt");
  EXPECT_EQ(catalog.find_tree(tree(1), "file").entry, nullptr);
}

TEST_F(CatalogTest, NamesTheTreesThatATransferBeganWith) {
  Catalog& catalog = reopened();
  const auto old = activate(catalog, release(1));
  CatalogFile transfer = catalog.find_tree(tree(1), "file");
  const Digest first = transfer.manifest;
  activate(catalog, release(2));
  activate(catalog, release(3));
  EXPECT_TRUE(catalog.trees_in_use().contains(first));
  EXPECT_EQ(transfer.entry->sha256, sha256(sample_bytes(100, 1)));
}

TEST_F(CatalogTest, ForgetsTreesThatNobodyUses) {
  Catalog& catalog = reopened();
  for (std::uint64_t number = 1; number <= 3; ++number) activate(catalog, release(number));
  EXPECT_FALSE(catalog.trees_in_use().contains(tree(1)));
  EXPECT_TRUE(catalog.trees_in_use().contains(tree(2)));
  EXPECT_TRUE(catalog.trees_in_use().contains(tree(3)));
}

TEST_F(CatalogTest, ServesThePreviousReleaseWhenTheActiveOneCannotBeRead) {
  {
    Catalog& catalog = reopened();
    activate(catalog, release(1));
    activate(catalog, release(2));
  }
  ASSERT_TRUE(store_.rot(tree(2)));
  const Catalog& catalog = reopened();
  ASSERT_NE(catalog.active(), nullptr);
  EXPECT_EQ(catalog.active()->release.number, 1u);
}

TEST_F(CatalogTest, SharesTreesBetweenReleases) {
  Release first, second;
  first.number = 1;
  second.number = 2;
  first.images.push_back(sample_image("centos7", "1708", tree(9)));
  second.images = first.images;
  auto one = load_snapshot(store_, sign_release(first));
  ASSERT_TRUE(one);
  auto two = load_snapshot(store_, sign_release(second), one->get());
  ASSERT_TRUE(two);
  EXPECT_EQ((*one)->trees.at(tree(9)), (*two)->trees.at(tree(9)));
}

TEST_F(CatalogTest, RefusesAReleaseWhoseManifestIsMissing) {
  Release made;
  made.number = 1;
  made.images.push_back(sample_image("centos7", "1708", sha256(as_bytes("absent"))));
  auto snapshot = load_snapshot(store_, sign_release(made));
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Errc::not_found);
}

TEST_F(CatalogTest, FindsImagesByNameAndTag) {
  Release made;
  made.number = 1;
  made.images.push_back(sample_image("centos7", "1708", tree(1)));
  made.images.push_back(sample_image("centos7", "2009", tree(2)));
  auto snapshot = load_snapshot(store_, sign_release(made));
  ASSERT_TRUE(snapshot) << snapshot.error().what;
  EXPECT_EQ((*snapshot)->find_image("centos7@1708", "file").manifest, tree(1));
  EXPECT_EQ((*snapshot)->find_image("centos7", "file").manifest, tree(2));
  EXPECT_EQ((*snapshot)->find_image("centos8", "file").entry, nullptr);
  EXPECT_EQ((*snapshot)->find_image("centos7", "files").entry, nullptr);
}

}  // namespace
}  // namespace farboot
