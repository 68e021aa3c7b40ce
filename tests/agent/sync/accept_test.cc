// Desired states that come while the disk takes no write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/sync/site.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = Sync::Outcome::Kind;

class SyncAccept : public ::testing::Test {
 protected:
  /// Errors: what accept() says.
  Errc refusal_of(const SignedDocument& desired) {
    const auto accepted = site_.sync->accept(desired);
    return accepted ? Errc::internal : accepted.error().code;
  }

  Centre centre_;
  Offer first_ = centre_.make_release(1, 10), second_ = centre_.make_release(2, 10);
  const Digest one_ = first_.release.digest(), two_ = second_.release.digest();
  Site site_{centre_};
  FakeUpstream upstream_{centre_.store, 1};
};

TEST_F(SyncAccept, WhatCouldNotBeWrittenIsToldAndTakenByALaterStep) {
  site_.state.full = true;
  EXPECT_EQ(refusal_of(centre_.desired(1, {}, one_)), Errc::unavailable);
  ASSERT_TRUE(site_.sync->offer(first_)) << "which comes but once";
  const auto stuck = site_.settle(&upstream_);
  ASSERT_EQ(stuck.kind, Kind::failed) << "and so it is tried again";
  EXPECT_FALSE(site_.sync->desired());
  EXPECT_EQ(site_.sync->status().desired_number, 0U);
  EXPECT_THAT(site_.sync->status().error, HasSubstr("desired state 1: not kept: disk full"));
  EXPECT_THAT(site_.taken, IsEmpty());

  site_.state.full = false;
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest) << site_.sync->status().error;
  EXPECT_EQ(site_.catalog->active()->digest, one_);
  EXPECT_EQ(site_.sync->status().desired_number, 1U);
  EXPECT_EQ(site_.sync->status().error, "");
  EXPECT_THAT(site_.taken, ElementsAre(1));
  site_.start();
  EXPECT_EQ(site_.sync->desired()->number, 1U) << "it is durable";
}

TEST_F(SyncAccept, WhatWasDesiredBeforeGoesOnMeanwhile) {
  site_.tell(centre_.desired(1, {}, one_));
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest);
  site_.state.full = true;
  EXPECT_EQ(refusal_of(centre_.desired(2, {}, two_)), Errc::unavailable);
  const Digest rotten = release_closure(centre_.store, first_.manifests)->at(5).id;
  ASSERT_TRUE(site_.store.rot(rotten));
  EXPECT_FALSE(site_.store.get(rotten)) << "quarantined";
  site_.sync->damaged();
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::failed);
  EXPECT_TRUE(site_.holds(first_)) << "what is served was healed";
  EXPECT_EQ(site_.sync->desired()->number, 1U);
  EXPECT_THAT(site_.sync->status().error, HasSubstr("desired state 2: not kept"));
}

TEST_F(SyncAccept, OnlyTheNewestOfWhatCouldNotBeWrittenIsTaken) {
  site_.state.full = true;
  EXPECT_EQ(refusal_of(centre_.desired(5, {}, one_)), Errc::unavailable);
  EXPECT_EQ(refusal_of(centre_.desired(4, {}, two_)), Errc::denied);
  EXPECT_EQ(refusal_of(centre_.desired(5, {}, two_)), Errc::denied);
  EXPECT_EQ(refusal_of(centre_.desired(6, {}, one_)), Errc::unavailable);
  site_.state.full = false;
  ASSERT_TRUE(*site_.sync->accept(centre_.desired(7, {}, two_)));
  ASSERT_TRUE(site_.sync->offer(second_));
  ASSERT_EQ(site_.settle(&upstream_).kind, Kind::rest) << site_.sync->status().error;
  EXPECT_EQ(site_.catalog->active()->digest, two_);
  EXPECT_THAT(site_.taken, ElementsAre(7));
}

TEST_F(SyncAccept, TheSameOnceMoreIsAnotherTry) {
  site_.state.full = true;
  EXPECT_EQ(refusal_of(centre_.desired(1, {}, one_)), Errc::unavailable);
  EXPECT_EQ(refusal_of(centre_.desired(1, {}, one_)), Errc::unavailable);
  site_.state.full = false;
  EXPECT_TRUE(*site_.sync->accept(centre_.desired(1, {}, one_)));
  EXPECT_EQ(site_.sync->status().refused_documents, 0U);
}

}  // namespace
}  // namespace farboot
