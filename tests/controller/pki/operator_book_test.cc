#include "controller/pki/operator_book.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/content/identity_key.h"
#include "common/rpc/credentials.h"
#include "common/store/memory_state.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class OperatorBookTest : public ::testing::Test {
 protected:
  Result<OperatorBook::Issued> issue(const std::string& name, Role role, const IdentityKey& key) {
    return book_.issue({name, role, key.csr_pem(), "admin"});
  }
  static PeerIdentity peer(const std::string& name, Role role, const IdentityKey& key) {
    PeerIdentity peer;
    peer.kind = PeerKind::operator_;
    peer.name = name;
    peer.role = role;
    peer.key_id = *public_key_id(key.public_pem());
    return peer;
  }

  TempFolder folder_;
  FakeClock clock_;
  MemoryState state_;
  std::unique_ptr<Authority> authority_ = std::move(*Authority::open(folder_ / "pki", clock_));
  OperatorBook book_{state_, *authority_, clock_};
  IdentityKey ada_ = IdentityKey::generate();
  IdentityKey bob_ = IdentityKey::generate();
};

TEST_F(OperatorBookTest, IssuesForTheKeyOfTheRequest) {
  const auto issued = issue("ada", Role::operate, ada_);
  ASSERT_TRUE(issued) << issued.error().what;
  EXPECT_EQ(*public_key_id(issued->certificate_pem), *public_key_id(ada_.public_pem()));
  EXPECT_EQ(issued->ca_pem, authority_->ca_pem());
  EXPECT_EQ(issued->record.issued_by, "admin");
  const auto held = book_.operators();
  ASSERT_TRUE(held);
  ASSERT_EQ(held->size(), 1u);
  EXPECT_EQ(held->front().certificate_serial, issued->record.certificate_serial);
  EXPECT_EQ(held->front().certificate_expires, issued->record.certificate_expires);
  EXPECT_TRUE(book_.admit(peer("ada", Role::operate, ada_)));
}

TEST_F(OperatorBookTest, RefusesBadNamesAndRequests) {
  EXPECT_EQ(issue("Ada Lovelace", Role::admin, ada_).error().code, Errc::invalid);
  EXPECT_EQ(book_.issue({"ada", Role::admin, "nonsense", "admin"}).error().code, Errc::invalid);
  EXPECT_TRUE(book_.operators()->empty());
}

TEST_F(OperatorBookTest, TheSameKeyMayAskAgainSinceAnAnswerMayBeLost) {
  ASSERT_TRUE(issue("ada", Role::operate, ada_));
  clock_.advance(std::chrono::days(1));
  const auto again = issue("ada", Role::operate, ada_);
  ASSERT_TRUE(again) << again.error().what;
  ASSERT_EQ(book_.operators()->size(), 1u);
  EXPECT_EQ(book_.operators()->front().certificate_expires, again->record.certificate_expires);
}

TEST_F(OperatorBookTest, OneKeyIsOneOperator) {
  ASSERT_TRUE(issue("ada", Role::viewer, ada_));
  EXPECT_EQ(issue("bob", Role::viewer, ada_).error().code, Errc::conflict);
  EXPECT_EQ(issue("ada", Role::admin, ada_).error().code, Errc::conflict);
  EXPECT_FALSE(book_.admit(peer("ada", Role::admin, ada_)));
  EXPECT_FALSE(book_.admit(peer("bob", Role::viewer, ada_)));
}

TEST_F(OperatorBookTest, RefusesWhomItDoesNotKnowAndCountsThem) {
  const auto refused = book_.admit(peer("eve", Role::admin, bob_));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().what, HasSubstr("operator eve: certificate unknown here"));
  EXPECT_EQ(book_.refused(), 1u);
}

TEST_F(OperatorBookTest, ARevokedKeyStaysOut) {
  ASSERT_TRUE(issue("ada", Role::admin, ada_));
  ASSERT_TRUE(issue("bob", Role::operate, bob_));
  const auto revoked = book_.revoke("bob", "", "ada");
  ASSERT_TRUE(revoked) << revoked.error().what;
  ASSERT_EQ(revoked->size(), 1u);
  EXPECT_TRUE(revoked->front().revoked);
  EXPECT_EQ(revoked->front().revoked_by, "ada");
  const auto refused = book_.admit(peer("bob", Role::operate, bob_));
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().what, HasSubstr("revoked"));
  EXPECT_EQ(issue("bob", Role::operate, bob_).error().code, Errc::denied);
  const auto adopted = book_.adopt(
      authority_->issue_operator(bob_.csr_pem(), "bob", Role::operate)->certificate_pem);
  EXPECT_TRUE(adopted);
  EXPECT_FALSE(book_.admit(peer("bob", Role::operate, bob_)));
  EXPECT_TRUE(book_.revoke("bob", "", "ada")) << "twice is harmless";
  EXPECT_EQ(book_.revoke("carl", "", "ada").error().code, Errc::not_found);
  const IdentityKey fresh = IdentityKey::generate();
  EXPECT_TRUE(issue("bob", Role::operate, fresh));
}

TEST_F(OperatorBookTest, ASerialMeansOneCertificateOfAName) {
  const auto first = issue("ada", Role::admin, ada_);
  ASSERT_TRUE(first);
  ASSERT_TRUE(issue("ada", Role::admin, bob_));
  EXPECT_EQ(book_.revoke("bob", first->record.certificate_serial, "ada").error().code,
            Errc::not_found);
  ASSERT_TRUE(book_.revoke("ada", first->record.certificate_serial, "ada"));
  EXPECT_FALSE(book_.admit(peer("ada", Role::admin, ada_)));
  EXPECT_TRUE(book_.admit(peer("ada", Role::admin, bob_)));
}

TEST_F(OperatorBookTest, TheLastAdminStays) {
  ASSERT_TRUE(issue("ada", Role::admin, ada_));
  ASSERT_TRUE(issue("bob", Role::operate, bob_));
  const auto last = book_.revoke("ada", "", "ada");
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Errc::conflict);
  EXPECT_THAT(last.error().what, HasSubstr("farboot operator issue NAME --role admin"));
  EXPECT_TRUE(book_.admit(peer("ada", Role::admin, ada_)));

  const IdentityKey carl = IdentityKey::generate();
  ASSERT_TRUE(issue("carl", Role::admin, carl));
  EXPECT_TRUE(book_.revoke("ada", "", "carl"));
  EXPECT_FALSE(book_.revoke("carl", "", "carl")) << "a revoked admin is no other admin";
}

TEST_F(OperatorBookTest, AnExpiredAdminIsNoOtherAdmin) {
  ASSERT_TRUE(issue("ada", Role::admin, ada_));
  clock_.advance(std::chrono::days(4 * 365));
  ASSERT_TRUE(issue("bob", Role::admin, bob_));
  clock_.advance(std::chrono::days(2 * 365));
  EXPECT_FALSE(book_.revoke("bob", "", "bob"));
}

TEST_F(OperatorBookTest, WhatExpiredLeavesTheBook) {
  ASSERT_TRUE(issue("ada", Role::admin, ada_));
  clock_.advance(std::chrono::days(6 * 365));
  ASSERT_TRUE(issue("bob", Role::admin, bob_));
  ASSERT_EQ(book_.operators()->size(), 1u);
  EXPECT_EQ(book_.operators()->front().name, "bob");
}

TEST_F(OperatorBookTest, TwoAdminsWhoRevokeEachOtherAtOnceDoNotBothGo) {
  for (int round = 0; round < 50; ++round) {
    MemoryState state;
    OperatorBook book(state, *authority_, clock_);
    ASSERT_TRUE(book.issue({"ada", Role::admin, ada_.csr_pem(), "test"}));
    ASSERT_TRUE(book.issue({"bob", Role::admin, bob_.csr_pem(), "test"}));
    {
      std::jthread one([&] { static_cast<void>(book.revoke("ada", "", "bob")); });
      std::jthread other([&] { static_cast<void>(book.revoke("bob", "", "ada")); });
    }
    int good = 0;
    for (const OperatorRecord& record : *book.operators()) good += record.revoked ? 0 : 1;
    ASSERT_EQ(good, 1);
  }
}

TEST_F(OperatorBookTest, ARecordThatCannotBeReadOpensNoDoor) {
  ASSERT_TRUE(issue("ada", Role::admin, ada_));
  const PeerIdentity ada = peer("ada", Role::admin, ada_);
  ASSERT_TRUE(state_.put("operator/" + ada.key_id, R"({"name":"ada","role":"admin"})"));
  EXPECT_FALSE(book_.admit(ada));
  ASSERT_TRUE(state_.put("operator/" + ada.key_id, "junk"));
  EXPECT_FALSE(book_.admit(ada));
}

}  // namespace
}  // namespace farboot
