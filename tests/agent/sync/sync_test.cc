#include "agent/sync/sync.h"

#include <gtest/gtest.h>

#include "common/content/ready_proof.h"
#include "tests/agent/sync/site.h"

namespace farboot {
namespace {

using Kind = Sync::Outcome::Kind;

class SyncTest : public ::testing::Test {
 protected:
  Centre centre_;
  Offer first_ = centre_.make_release(1, 40);
  Digest one_ = first_.release.digest();
};

TEST_F(SyncTest, StagesProvesAndActivates) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, {}));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_TRUE(site.holds(first_));
  auto status = site.sync->status();
  EXPECT_EQ(status.staged, one_);
  EXPECT_EQ(status.active, std::nullopt) << "nothing is served before the order";
  EXPECT_EQ(status.bytes_total, first_.total_bytes);
  EXPECT_EQ(status.bytes_done, first_.total_bytes);
  EXPECT_EQ(status.error, "");

  site.tell(centre_.desired(2, one_, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  ASSERT_NE(site.catalog->active(), nullptr);
  EXPECT_EQ(site.catalog->active()->digest, one_);
  EXPECT_EQ(site.sync->status().active, one_);
}

TEST_F(SyncTest, TheProofHoldsAgainstTheReleaseAndTheAgentsKey) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, {}));
  site.settle(&upstream);
  const auto document = site.sync->status().ready_proof;
  ASSERT_TRUE(document);
  EXPECT_TRUE(verify_identity_signature(site.key.public_pem(), DocumentKind::ready, *document));
  const auto proof = decode_ready_proof(document->document);
  ASSERT_TRUE(proof) << proof.error().what;
  EXPECT_EQ(proof->release, one_);
  EXPECT_EQ(proof->agent, "lyon/pi1");
  std::vector<Digest> ids;
  for (const auto& chunk : *release_closure(centre_.store, first_.manifests))
    ids.push_back(chunk.id);
  EXPECT_EQ(proof->root, merkle_root(ids));
  EXPECT_EQ(proof->bytes, first_.total_bytes);
}

TEST_F(SyncTest, AnUpdateFetchesOnlyWhatIsNew) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  const Offer second = centre_.make_release(2, 3, first_.manifests);
  upstream.sent.clear();
  upstream.sent_bytes = 0;
  site.tell(centre_.desired(2, {}, second.release.digest()));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_EQ(upstream.sent_bytes, second.total_bytes - first_.total_bytes);
  EXPECT_EQ(site.catalog->active()->release.number, 2u);
}

TEST_F(SyncTest, ASweepAfterActivationFreesTheOneBeforeThePrevious) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  const Offer second = centre_.make_release(2, 5), third = centre_.make_release(3, 5);
  std::uint64_t number = 0;
  for (const Offer& offer : {first_, second, third}) {
    site.tell(centre_.desired(++number, {}, offer.release.digest()));
    ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  }
  EXPECT_TRUE(site.holds(third));
  EXPECT_TRUE(site.holds(second)) << "kept for the way back";
  EXPECT_EQ(site.store.usage()->payload_bytes, third.total_bytes + second.total_bytes);
}

TEST_F(SyncTest, ASweepKeepsWhatAnInstallUnderWayNeeds) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  const Offer second = centre_.make_release(2, 5), third = centre_.make_release(3, 5);
  site.tell(centre_.desired(1, {}, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  ASSERT_TRUE(site.state.put(pin_key("attempt"), pin_value(first_.manifests)));
  site.tell(centre_.desired(2, {}, second.release.digest()));
  site.settle(&upstream);
  site.tell(centre_.desired(3, {}, third.release.digest()));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_TRUE(site.holds(first_));
}

TEST_F(SyncTest, GoesBackWithoutALink) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  const Offer second = centre_.make_release(2, 5);
  site.tell(centre_.desired(1, {}, one_));
  site.settle(&upstream);
  site.tell(centre_.desired(2, {}, second.release.digest()));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  ASSERT_TRUE(site.sync->accept(centre_.desired(3, {}, one_)));
  ASSERT_EQ(site.settle(nullptr).kind, Kind::rest);
  EXPECT_EQ(site.catalog->active()->digest, one_);
}

TEST_F(SyncTest, WaitsForTheOfferAndForTheLink) {
  Site site(centre_);
  ASSERT_TRUE(site.sync->accept(centre_.desired(1, {}, one_)));
  EXPECT_EQ(site.settle(nullptr).kind, Kind::waiting);
  EXPECT_EQ(site.sync->status().step, SyncStep::offer);
  site.tell_offers();
  EXPECT_EQ(site.settle(nullptr).kind, Kind::waiting);
  FakeUpstream upstream(centre_.store, 1);
  EXPECT_EQ(site.settle(&upstream).kind, Kind::rest);
}

TEST_F(SyncTest, RefusesForgedStatesAndOffers) {
  Site site(centre_);
  const auto stranger = SigningKey::generate();
  EXPECT_EQ(
      site.sync->accept(sign_desired(stranger, desired_state("lyon", 9, {}, one_))).error().code,
      Errc::denied);
  EXPECT_EQ(
      site.sync->accept(sign_desired(centre_.key, desired_state("oslo", 9, {}, one_))).error().code,
      Errc::denied);
  // A signed release passed off as a desired state, and the other way round.
  EXPECT_EQ(site.sync->accept(first_.release).error().code, Errc::denied);
  site.tell(centre_.desired(1, {}, one_));
  Offer swapped = first_;
  swapped.release = centre_.desired(1, {}, one_);
  EXPECT_EQ(site.sync->offer(swapped).error().code, Errc::denied);
  Offer tampered = first_;
  tampered.release.document[tampered.release.document.size() / 2] ^= 1;
  EXPECT_EQ(site.sync->offer(tampered).error().code, Errc::denied);
  Offer other_trees = first_;
  other_trees.manifests.push_back(one_);
  EXPECT_EQ(site.sync->offer(other_trees).error().code, Errc::mismatch);
  EXPECT_EQ(site.sync->status().refused_documents, 6u);
}

TEST_F(SyncTest, RefusesADowngradeAndTwoStatesOfOneNumber) {
  Site site(centre_);
  const SignedDocument five = centre_.desired(5, {}, {});
  EXPECT_TRUE(*site.sync->accept(five));
  EXPECT_FALSE(*site.sync->accept(five)) << "the same again is harmless";
  EXPECT_EQ(site.sync->accept(centre_.desired(4, {}, one_)).error().code, Errc::denied);
  EXPECT_EQ(site.sync->accept(centre_.desired(5, {}, one_)).error().code, Errc::denied);
  site.start();
  EXPECT_EQ(site.sync->accept(centre_.desired(4, {}, one_)).error().code, Errc::denied)
      << "also after a restart";
  EXPECT_EQ(site.sync->status().desired_number, 5u);
}

TEST_F(SyncTest, RefusesWhatDoesNotFitBeforeTheFirstByteWithTheNumbers) {
  Site site(centre_, first_.total_bytes / 2);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, {}, one_));
  const auto outcome = site.settle(&upstream);
  ASSERT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(outcome.error->code, Errc::exhausted);
  EXPECT_NE(outcome.error->what.find(std::to_string(first_.total_bytes)), std::string::npos)
      << outcome.error->what;
  EXPECT_EQ(upstream.fetches, 0u);
  EXPECT_EQ(site.sync->status().error, outcome.error->what);
}

TEST_F(SyncTest, AFullStoreLeavesTheActiveReleaseServing) {
  const Offer second = centre_.make_release(2, 40);
  Site site(centre_, first_.total_bytes + second.total_bytes / 2);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, {}, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  site.tell(centre_.desired(2, {}, second.release.digest()));
  const auto outcome = site.settle(&upstream);
  ASSERT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(outcome.error->code, Errc::exhausted);
  EXPECT_TRUE(site.holds(first_));
  EXPECT_EQ(site.catalog->active()->digest, one_);
}

TEST_F(SyncTest, MakesRoomByDroppingAStagedReleaseNobodyWantsAnyMore) {
  const Offer second = centre_.make_release(2, 40), third = centre_.make_release(3, 40);
  Site site(centre_, first_.total_bytes + std::max(second.total_bytes, third.total_bytes) +
                         third.total_bytes / 4);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, {}, one_));
  site.settle(&upstream);
  site.tell(centre_.desired(2, second.release.digest(), one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  site.tell(centre_.desired(3, third.release.digest(), one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest) << site.sync->status().error;
  EXPECT_TRUE(site.holds(third));
  EXPECT_TRUE(site.holds(first_));
  EXPECT_EQ(site.sync->status().staged, third.release.digest());
}

TEST_F(SyncTest, HoldsTheSitesRateInBytes) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  SiteLimits limits;
  limits.wan_bytes_per_second = 100'000;
  site.tell(centre_.desired(1, one_, {}, limits));
  const SteadyTime begin = site.clock.steady();
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  const double seconds = std::chrono::duration<double>(site.clock.steady() - begin).count();
  EXPECT_GT(upstream.sent_bytes, 3'000'000u);
  EXPECT_LE(static_cast<double>(upstream.sent_bytes), 100'000 * (seconds + 1) + 300'000);
  EXPECT_GE(static_cast<double>(upstream.sent_bytes), 100'000 * seconds * 0.95);
}

TEST_F(SyncTest, ATransferNoLongerWantedEndsBetweenTwoChunks) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, {}));
  int chunks = 0;
  upstream.on_send = [&](const Digest&) {
    if (++chunks != 5) return;
    ASSERT_TRUE(site.sync->accept(centre_.desired(2, {}, {})));
  };
  EXPECT_EQ(site.sync->step(&upstream).error->code, Errc::cancelled);
  EXPECT_LE(chunks, 6);
  EXPECT_EQ(site.settle(&upstream).kind, Kind::rest);
}

TEST_F(SyncTest, ARottenChunkOfTheActiveReleaseIsFetchedAgain) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, {}, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  const Digest rotten = release_closure(centre_.store, first_.manifests)->back().id;
  ASSERT_TRUE(site.store.rot(rotten));
  EXPECT_FALSE(site.store.get(rotten)) << "quarantined";
  upstream.sent.clear();
  site.sync->damaged();
  EXPECT_EQ(site.settle(nullptr).kind, Kind::waiting);
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_TRUE(site.holds(first_));
  EXPECT_EQ(upstream.sent.size(), 1u);
}

TEST_F(SyncTest, WhatRotsWhileTheLastDamageIsMendedIsNotForgotten) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, {}, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  const auto chunks = *release_closure(centre_.store, first_.manifests);
  const Digest first = chunks.at(chunks.size() - 2).id, second = chunks.back().id;
  const auto rot = [&](const Digest& id) {
    ASSERT_TRUE(site.store.rot(id));
    EXPECT_FALSE(site.store.get(id));
    site.sync->damaged();
  };
  rot(first);
  upstream.sent.clear();
  // The moment after the last look at what is missing.
  bool rotted = false;
  site.on_changed = [&] {
    const SyncStatus status = site.sync->status();
    const bool looked = status.step == SyncStep::want && status.bytes_done == status.bytes_total;
    if (!looked || status.bytes_total == 0 || upstream.sent.empty()) return;
    if (!std::exchange(rotted, true)) rot(second);
  };
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_TRUE(upstream.sent.contains(second));
  EXPECT_TRUE(site.holds(first_));
  EXPECT_EQ(site.sync->status().rotten_chunks, 2u);
}

TEST_F(SyncTest, WhatRotsBetweenReadyAndActivateIsMendedAfterwards) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, {}));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  const Digest rotten = release_closure(centre_.store, first_.manifests)->back().id;
  ASSERT_TRUE(site.store.rot(rotten));
  EXPECT_FALSE(site.store.get(rotten));
  site.sync->damaged();
  site.tell(centre_.desired(2, one_, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_EQ(site.catalog->active()->digest, one_);
  EXPECT_TRUE(site.holds(first_));
}

/// What could not be mended for lack of room is not forgotten until somebody restarts the agent.
TEST_F(SyncTest, MendsOnceThereIsRoom) {
  Site site(centre_, first_.total_bytes + 262'144);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, {}, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest) << site.sync->status().error;
  Digest rotten;
  for (const ChunkRef& chunk : *release_closure(centre_.store, first_.manifests))
    if (chunk.size_bytes > 8192) rotten = chunk.id;
  ASSERT_TRUE(site.store.rot(rotten));
  EXPECT_FALSE(site.store.get(rotten)) << "quarantined";
  const Bytes filler(site.store.usage()->free_bytes, 0x37);
  ASSERT_TRUE(site.store.put(sha256(filler), filler));
  site.may_free = false;
  site.sync->damaged();
  const auto full = site.settle(&upstream);
  ASSERT_EQ(full.kind, Kind::failed) << "and so it is tried again";
  EXPECT_EQ(full.error->code, Errc::exhausted);
  site.may_free = true;
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest) << site.sync->status().error;
  EXPECT_TRUE(site.holds(first_));
}

/// A transfer that was given up may have left no room even for the next one's manifests.
TEST_F(SyncTest, WhatWasGivenUpMakesRoomForTheNext) {
  const Offer second = centre_.make_release(2, 40, first_.manifests);
  const Offer third = centre_.make_release(3, 3, first_.manifests);
  Site site(centre_, first_.total_bytes + (third.total_bytes - first_.total_bytes) * 2);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest) << site.sync->status().error;
  const Digest two = second.release.digest(), three = third.release.digest();
  site.tell(centre_.desired(2, two, one_));
  EXPECT_EQ(site.settle(&upstream).kind, Kind::failed) << "it does not fit";
  // As it may come to be in mid-transfer: full of chunks of it.
  for (const ChunkRef& chunk : *release_closure(centre_.store, second.manifests)) {
    const auto bytes = centre_.store.get(chunk.id);
    static_cast<void>(site.store.put(chunk.id, *bytes));
  }
  const Bytes filler(site.store.usage()->free_bytes, 0x37);
  ASSERT_TRUE(site.store.put(sha256(filler), filler));
  site.tell(centre_.desired(3, three, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest) << site.sync->status().error;
  EXPECT_TRUE(site.holds(third));
}

TEST_F(SyncTest, AttemptsOfATransferDoNotWriteEachTime) {
  Site site(centre_);
  site.tell(centre_.desired(1, one_, {}));
  const auto attempt = [&] {
    EXPECT_EQ(site.settle(nullptr).kind, Kind::waiting) << "no link";
    return site.state.get("sync/sweep")->value().revision;
  };
  const auto first = attempt();
  EXPECT_EQ(attempt(), first);
}

TEST_F(SyncTest, WhatCameOfATransferThatWasGivenUpIsFreed) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  site.tell(centre_.desired(1, one_, one_));
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  const std::uint64_t before = site.store.usage()->payload_bytes;
  const Offer second = centre_.make_release(2, 40, first_.manifests);
  site.tell(centre_.desired(2, second.release.digest(), one_));
  int sent = 0;
  upstream.on_send = [&](const Digest&) {
    if (++sent == 20) site.tell(centre_.desired(3, {}, one_));
  };
  EXPECT_EQ(site.settle(&upstream).error->code, Errc::cancelled);
  EXPECT_GT(site.store.usage()->payload_bytes, before);
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest) << site.sync->status().error;
  EXPECT_GT(sent, 0);
  EXPECT_EQ(site.store.usage()->payload_bytes, before);
}

TEST_F(SyncTest, WhatRotsBeforeItIsProvenIsFetchedAgain) {
  Site site(centre_);
  FakeUpstream upstream(centre_.store, 1);
  const Digest victim = release_closure(centre_.store, first_.manifests)->at(5).id;
  site.tell(centre_.desired(1, one_, {}));
  int sent = 0;
  const auto chunks = first_.chunks;
  upstream.on_send = [&](const Digest&) {
    // With the last chunk on its way, one that was stored rots.
    if (static_cast<std::uint64_t>(++sent) == chunks) site.store.rot(victim);
  };
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_TRUE(site.holds(first_));
  EXPECT_TRUE(site.sync->status().ready_proof);
}

}  // namespace
}  // namespace farboot
