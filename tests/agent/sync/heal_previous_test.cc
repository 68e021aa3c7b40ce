// Machines may still be installed from the release before the active one: what rots of it is
// fetched again.
#include <gtest/gtest.h>

#include "tests/agent/sync/site.h"

namespace farboot {
namespace {

using Kind = Sync::Outcome::Kind;

class SyncHealsThePrevious : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const Offer* offer : {&first_, &second_}) {
      site_.tell(centre_.desired(++number_, {}, offer->release.digest()));
      ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest);
    }
    upstream_.sent.clear();
  }
  /// A chunk that only the previous release has.
  Digest rot() {
    const Digest rotten = release_closure(centre_.store, first_.manifests)->back().id;
    EXPECT_TRUE(site_.store.rot(rotten));
    EXPECT_FALSE(site_.store.get(rotten)) << "quarantined";
    site_.sync->damaged();
    return rotten;
  }

  Centre centre_;
  Offer first_ = centre_.make_release(1, 10), second_ = centre_.make_release(2, 10);
  Site site_{centre_};
  FakeUpstream upstream_{centre_.store, 1};
  std::uint64_t number_ = 0;
};

TEST_F(SyncHealsThePrevious, WithTheChunksThatRotted) {
  const Digest rotten = rot();
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest);
  EXPECT_TRUE(site_.holds(first_));
  EXPECT_EQ(upstream_.sent.size(), 1u);
  EXPECT_TRUE(upstream_.sent.contains(rotten));
  EXPECT_EQ(site_.catalog->active()->digest, second_.release.digest()) << "which serves on";
}

TEST_F(SyncHealsThePrevious, OnceThereIsALink) {
  rot();
  EXPECT_EQ(site_.settle(nullptr).kind, Kind::waiting);
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest);
  EXPECT_TRUE(site_.holds(first_));
}

TEST_F(SyncHealsThePrevious, AlsoWhatWasTakenOutBeforeAStart) {
  rot();
  site_.start();
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest);
  EXPECT_TRUE(site_.holds(first_));
}

TEST_F(SyncHealsThePrevious, AndReportsNoErrorWhereItCannot) {
  rot();
  Faults nothing_comes;
  nothing_comes.lose = 1;
  FakeUpstream broken(centre_.store, 1, nothing_comes);
  EXPECT_EQ(site_.settle(&broken).kind, Kind::failed) << "and so it is tried again";
  EXPECT_EQ(site_.sync->status().error, "") << "the site serves what it should";
  const Offer third = centre_.make_release(3, 10);
  site_.tell(centre_.desired(++number_, {}, third.release.digest()));
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest) << "and goes on";
  EXPECT_EQ(site_.catalog->active()->digest, third.release.digest());
}

}  // namespace
}  // namespace farboot
