// Bad days of a transfer, seeded. Each failure prints its seed.
#include <gtest/gtest.h>

#include "tests/agent/sync/site.h"

namespace farboot {
namespace {

using Kind = Sync::Outcome::Kind;

constexpr std::uint64_t kSeeds = 6;

TEST(SyncFaults, EveryKindOfBadUpstreamEndsWithTheSameBytesOrAnError) {
  Centre centre;
  const Offer offer = centre.make_release(1, 60, {put_sample_tree(centre.store, centre.random, 5)});
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Faults faults;
    faults.lose = 0.1;
    faults.twice = 0.1;
    faults.corrupt = 0.1;
    faults.truncate = 0.05;
    faults.foreign = 0.1;
    faults.cut = 0.02;
    faults.reorder = true;
    Site site(centre);
    FakeUpstream upstream(centre.store, seed, faults);
    site.tell(centre.desired(1, {}, offer.release.digest()));
    Sync::Outcome outcome;
    for (int i = 0; i < 400; ++i) {
      outcome = site.sync->step(&upstream);
      if (outcome.kind == Kind::rest) break;
    }
    ASSERT_EQ(outcome.kind, Kind::rest);
    EXPECT_TRUE(site.holds(offer));
    EXPECT_EQ(site.catalog->active()->digest, offer.release.digest());
  }
}

TEST(SyncFaults, ACutAtEveryChunkResumesAndNothingDurableComesTwice) {
  Centre centre;
  const Offer offer = centre.make_release(1, 14);
  for (std::uint64_t at = 0; at < offer.chunks; ++at) {
    SCOPED_TRACE("cut at " + std::to_string(at));
    Site site(centre);
    FakeUpstream upstream(centre.store, 1);
    upstream.cut_after = at;
    site.tell(centre.desired(1, {}, offer.release.digest()));
    const auto cut = site.settle(&upstream);
    ASSERT_EQ(cut.kind, Kind::failed);
    EXPECT_EQ(cut.error->code, Errc::unavailable);
    ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
    EXPECT_TRUE(site.holds(offer));
    for (const auto& [id, times] : upstream.sent) EXPECT_EQ(times, 1) << id.hex();
  }
}

/// A kill: what was durable stays, the rest is gone. The process dies at the nth chunk by being
/// stopped there and started anew on the same stores.
TEST(SyncFaults, AKillAtEveryChunkResumesAndNothingDurableComesTwice) {
  Centre centre;
  const Offer offer = centre.make_release(1, 14);
  for (std::uint64_t at = 1; at <= offer.chunks; ++at) {
    SCOPED_TRACE("killed at " + std::to_string(at));
    Site site(centre);
    std::set<Digest> durable;
    {
      FakeUpstream upstream(centre.store, 1);
      std::uint64_t count = 0;
      upstream.on_send = [&](const Digest&) {
        if (++count != at) return;
        for (const ChunkRef& chunk : *release_closure(centre.store, offer.manifests))
          if (site.store.missing(std::span(&chunk.id, 1))->empty()) durable.insert(chunk.id);
        site.sync->stop();
      };
      site.tell(centre.desired(1, {}, offer.release.digest()));
      site.settle(&upstream, 5);
    }
    site.start();
    site.tell_offers();
    FakeUpstream upstream(centre.store, 2);
    ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
    EXPECT_TRUE(site.holds(offer));
    for (const Digest& id : durable) EXPECT_FALSE(upstream.sent.contains(id));
  }
}

/// Nothing is written after the nth write, as if the process had died behind it; then the next
/// life.
TEST(SyncFaults, AKillAtEveryWriteOfAnActivationServesTheOldOrTheNewWholly) {
  Centre centre;
  const Offer old = centre.make_release(1, 14), next = centre.make_release(2, 14);
  const Digest before = old.release.digest(), after = next.release.digest();
  std::set<Digest> seen;
  bool through = false;
  int kills = 0;
  for (int at = 0; !through; ++at) {
    SCOPED_TRACE("killed behind write " + std::to_string(at));
    Site site(centre);
    FakeUpstream upstream(centre.store, 1);
    site.tell(centre.desired(1, {}, before));
    ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
    site.tell(centre.desired(2, after, before));
    ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
    const SignedDocument activate = centre.desired(3, {}, after);
    site.state.commits_left = at;
    static_cast<void>(site.sync->accept(activate));
    site.tell_offers();
    through = site.settle(nullptr).kind == Kind::rest;
    if (!through) ++kills;
    site.start();
    const Digest active = site.catalog->active()->digest;
    seen.insert(active);
    EXPECT_TRUE(site.holds(active == after ? next : old)) << "what is served is whole";
    site.state.commits_left = -1;
    site.tell(activate);
    ASSERT_EQ(site.settle(nullptr).kind, Kind::rest) << "nothing more is needed of the controller";
    EXPECT_EQ(site.catalog->active()->digest, after);
    EXPECT_EQ(site.catalog->stored()->previous->digest(), before);
    EXPECT_TRUE(site.holds(old) && site.holds(next));
  }
  EXPECT_GE(kills, 4) << "the state, the sweep's mark, the activation, the sweep";
  EXPECT_EQ(seen, (std::set<Digest>{before, after}));
}

TEST(SyncFaults, AnUpstreamThatNeverHasAChunkIsAnErrorNotALoop) {
  Centre centre;
  const Offer offer = centre.make_release(1, 10);
  Site site(centre);
  Faults faults;
  faults.corrupt = 1;
  FakeUpstream upstream(centre.store, 1, faults);
  site.tell(centre.desired(1, {}, offer.release.digest()));
  const auto outcome = site.settle(&upstream);
  ASSERT_EQ(outcome.kind, Kind::failed);
  EXPECT_LE(upstream.fetches, 10u);
  EXPECT_EQ(site.catalog->active(), nullptr);
}

TEST(SyncFaults, AManifestInPartsSurvivesCuts) {
  Centre centre;
  // Over 1 MiB of manifest: several parts.
  const Digest tree = put_sample_tree(centre.store, centre.random, 20'000, 40);
  ASSERT_FALSE(manifest_parts(*centre.store.get(tree))->empty());
  const Offer offer = centre.make_release(1, 2, {tree});
  Site site(centre);
  FakeUpstream upstream(centre.store, 1);
  site.tell(centre.desired(1, {}, offer.release.digest()));
  for (const std::uint64_t at : {0, 1, 2, 50}) {
    upstream.cut_after = at;
    EXPECT_EQ(site.settle(&upstream).kind, Kind::failed);
    const bool root_held = site.store.missing(std::span(&tree, 1))->empty();
    EXPECT_TRUE(!root_held || get_manifest(site.store, tree)) << "the root came before its parts";
  }
  ASSERT_EQ(site.settle(&upstream).kind, Kind::rest);
  EXPECT_TRUE(site.holds(offer));
}

}  // namespace
}  // namespace farboot
