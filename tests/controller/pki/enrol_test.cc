#include "controller/pki/enrol.h"

#include <thread>

#include <gtest/gtest.h>

#include "common/content/identity_key.h"
#include "common/rpc/credentials.h"
#include "common/store/memory_state.h"
#include "tests/support/fake_clock.h"
#include "tests/support/logged.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

class EnrolTest : public ::testing::Test {
 protected:
  EnrolTest() {
    auto opened = Authority::open(folder_ / "pki", clock_);
    EXPECT_TRUE(opened);
    authority_ = std::move(*opened);
    enrolment_ = std::make_unique<Enrolment>(state_, *authority_, clock_);
  }
  TokenRequest request(std::string agent = "pi1") {
    TokenRequest request;
    request.site = "lyon";
    request.agent = std::move(agent);
    request.controller_address = "controller.test:7443";
    return request;
  }
  std::string token() {
    auto text = enrolment_->create_token(request());
    EXPECT_TRUE(text) << text.error().what;
    return *text;
  }
  PeerIdentity peer_of(const IdentityKey& key) {
    PeerIdentity peer;
    peer.kind = PeerKind::agent;
    peer.site = "lyon";
    peer.name = "pi1";
    peer.key_id = *public_key_id(key.public_pem());
    return peer;
  }

  TempFolder folder_;
  FakeClock clock_;
  MemoryState state_;
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<Enrolment> enrolment_;
  IdentityKey key_ = IdentityKey::generate();
};

TEST_F(EnrolTest, ATokenMakesAnAgent) {
  const std::string text = token();
  const auto decoded = decode_token(text);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->ca_fingerprint.hex(), authority_->fingerprint());
  const auto enrolled = enrolment_->redeem(text, key_.csr_pem());
  ASSERT_TRUE(enrolled) << enrolled.error().what;
  EXPECT_EQ(enrolled->agent.id, "lyon/pi1");
  EXPECT_EQ(enrolled->agent.public_key_pem, key_.public_pem());
  const auto agents = enrolment_->agents();
  ASSERT_TRUE(agents);
  ASSERT_EQ(agents->size(), 1u);
  EXPECT_EQ(agents->front().certificate_serial, enrolled->agent.certificate_serial);
  EXPECT_FALSE(agents->front().revoked);
  EXPECT_TRUE(enrolment_->admit(peer_of(key_)));
}

TEST_F(EnrolTest, TheSecretIsNotStored) {
  const std::string text = token();
  const std::string secret = to_hex(decode_token(text)->secret);
  for (const StateEntry& entry : *state_.scan("")) {
    EXPECT_EQ(entry.value.find(secret), std::string::npos) << entry.key;
    EXPECT_EQ(entry.value.find(text.substr(4)), std::string::npos) << entry.key;
  }
}

TEST_F(EnrolTest, AUsedTokenIsRefused) {
  const std::string text = token();
  ASSERT_TRUE(enrolment_->redeem(text, key_.csr_pem()));
  const auto again = enrolment_->redeem(text, IdentityKey::generate().csr_pem());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::denied);
  EXPECT_NE(again.error().what.find("used already"), std::string::npos) << again.error().what;
  EXPECT_EQ(enrolment_->counts().token_used, 1u);
}

TEST_F(EnrolTest, AFloodOfNonsenseHidesNoTokenOfOursInWrongHands) {
  const std::string text = token();
  EnrolToken wrong = *decode_token(text);
  wrong.secret[0] ^= 1;
  EnrolToken unknown = wrong;
  unknown.id[0] ^= 1;
  ASSERT_TRUE(enrolment_->redeem(text, key_.csr_pem()));
  testing::Logged logged;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(enrolment_->redeem("fb1.nonsense", key_.csr_pem()));
    EXPECT_FALSE(enrolment_->redeem(encode_token(unknown), key_.csr_pem()));
  }
  EXPECT_EQ(testing::Logged::count(logged.take(), "pki.token_refused"), 60) << "a burst";
  EXPECT_FALSE(enrolment_->redeem(text, IdentityKey::generate().csr_pem()));
  EXPECT_FALSE(enrolment_->redeem(encode_token(wrong), key_.csr_pem()));
  const std::string lines = logged.take();
  EXPECT_NE(lines.find("event=pki.token_refused reason=used"), std::string::npos) << lines;
  EXPECT_NE(lines.find("event=pki.token_refused reason=\"wrong secret\""), std::string::npos)
      << lines;
}

TEST_F(EnrolTest, TheSameKeyMayAskAgainSinceAnAnswerMayBeLost) {
  const std::string text = token();
  ASSERT_TRUE(enrolment_->redeem(text, key_.csr_pem()));
  EXPECT_TRUE(enrolment_->redeem(text, key_.csr_pem()));
  clock_.advance(Seconds(3600));
  EXPECT_FALSE(enrolment_->redeem(text, key_.csr_pem()));
  EXPECT_EQ(enrolment_->counts().token_expired, 1u);
}

TEST_F(EnrolTest, AnExpiredTokenIsRefused) {
  const std::string text = token();
  clock_.advance(Seconds(3601));
  const auto refused = enrolment_->redeem(text, key_.csr_pem());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_NE(refused.error().what.find("expired"), std::string::npos) << refused.error().what;
  EXPECT_EQ(enrolment_->counts().token_expired, 1u);
  EXPECT_TRUE(enrolment_->agents()->empty());
}

TEST_F(EnrolTest, AnUnknownOrWrongOrMalformedTokenIsRefused) {
  const std::string text = token();
  EnrolToken wrong = *decode_token(text);
  wrong.secret[0] ^= 1;
  EnrolToken unknown = wrong;
  unknown.id[0] ^= 1;
  const auto refused_wrong = enrolment_->redeem(encode_token(wrong), key_.csr_pem());
  ASSERT_FALSE(refused_wrong);
  EXPECT_EQ(refused_wrong.error().code, Errc::denied);
  const auto refused_unknown = enrolment_->redeem(encode_token(unknown), key_.csr_pem());
  ASSERT_FALSE(refused_unknown);
  EXPECT_EQ(refused_unknown.error().code, Errc::denied);
  EXPECT_NE(refused_unknown.error().what.find("unknown"), std::string::npos);
  EXPECT_EQ(enrolment_->redeem("fb1.AAAA", key_.csr_pem()).error().code, Errc::invalid);
  const auto counts = enrolment_->counts();
  EXPECT_EQ(counts.token_wrong, 1u);
  EXPECT_EQ(counts.token_unknown, 1u);
  EXPECT_EQ(counts.token_malformed, 1u);
  EXPECT_TRUE(enrolment_->redeem(text, key_.csr_pem())) << "a refused call uses nothing up";
}

TEST_F(EnrolTest, ABadRequestDoesNotUseTheTokenUp) {
  const std::string text = token();
  EXPECT_EQ(enrolment_->redeem(text, "nonsense").error().code, Errc::invalid);
  EXPECT_TRUE(enrolment_->redeem(text, key_.csr_pem()));
}

TEST_F(EnrolTest, OneOfManyAtOnceWins) {
  const std::string text = token();
  std::atomic<int> won = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        if (enrolment_->redeem(text, IdentityKey::generate().csr_pem())) ++won;
      });
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(enrolment_->counts().token_used, 7u);
}

TEST_F(EnrolTest, ARevokedAgentIsRefusedAndMayBeEnrolledAnew) {
  const std::string first = token();
  ASSERT_TRUE(enrolment_->redeem(first, key_.csr_pem()));
  EXPECT_EQ(enrolment_->create_token(request()).error().code, Errc::conflict);
  ASSERT_TRUE(enrolment_->revoke("lyon/pi1"));
  EXPECT_EQ(enrolment_->admit(peer_of(key_)).error().code, Errc::denied);
  EXPECT_EQ(enrolment_->renew("lyon/pi1", key_.csr_pem()).error().code, Errc::denied);
  EXPECT_EQ(enrolment_->redeem(first, key_.csr_pem()).error().code, Errc::denied)
      << "the old token opens no way round the revocation";

  const IdentityKey fresh = IdentityKey::generate();
  ASSERT_TRUE(enrolment_->redeem(token(), fresh.csr_pem()));
  EXPECT_TRUE(enrolment_->admit(peer_of(fresh)));
  EXPECT_EQ(enrolment_->admit(peer_of(key_)).error().code, Errc::denied)
      << "the old key's certificate is still in date";
}

TEST_F(EnrolTest, RenewalKeepsTheKeyAndMovesTheExpiry) {
  ASSERT_TRUE(enrolment_->redeem(token(), key_.csr_pem()));
  const auto before = enrolment_->agent("lyon/pi1");
  clock_.advance(std::chrono::days(60));
  const auto renewed = enrolment_->renew("lyon/pi1", key_.csr_pem());
  ASSERT_TRUE(renewed) << renewed.error().what;
  EXPECT_EQ(renewed->agent.certificate_expires - before->certificate_expires,
            std::chrono::days(60));
  EXPECT_TRUE(enrolment_->admit(peer_of(key_)));
  EXPECT_EQ(enrolment_->renew("lyon/pi1", IdentityKey::generate().csr_pem()).error().code,
            Errc::denied);
  EXPECT_EQ(enrolment_->renew("lyon/pi2", key_.csr_pem()).error().code, Errc::not_found);
}

TEST_F(EnrolTest, BadTokenRequestsAreRefused) {
  auto wrong_site = request();
  wrong_site.site = "Lyon!";
  EXPECT_EQ(enrolment_->create_token(wrong_site).error().code, Errc::invalid);
  auto wrong_address = request();
  wrong_address.controller_address = "controller.test";
  EXPECT_EQ(enrolment_->create_token(wrong_address).error().code, Errc::invalid);
  auto too_long = request();
  too_long.ttl = kTokenLifeMax + Seconds(1);
  EXPECT_EQ(enrolment_->create_token(too_long).error().code, Errc::invalid);
}

TEST_F(EnrolTest, OldTokensAreDroppedInTime) {
  ASSERT_TRUE(enrolment_->redeem(token(), key_.csr_pem()));
  clock_.advance(std::chrono::days(40));
  ASSERT_TRUE(enrolment_->create_token(request("pi2")));
  EXPECT_EQ(state_.scan("token/")->size(), 1u);
}

}  // namespace
}  // namespace farboot
