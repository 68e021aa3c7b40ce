// farboot-agent enroll TOKEN against a real controller, and against what is none.
#include "agent/link/enrol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/rpc/enrol_token.h"
#include "common/rpc/identity.h"
#include "tests/support/eventually.h"
#include "tests/support/link_controller.h"
#include "tests/support/tcp_proxy.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

class Enrol : public ::testing::Test {
 protected:
  EnrolSettings settings(Seconds timeout = Seconds(20)) {
    return {
        .state_dir = folder_ / "state", .version = "0.1.0", .timeout = timeout, .attempts_max = 1};
  }
  bool enrolled() { return load_identity(folder_ / "state").has_value(); }

  LinkController controller_;
  TempFolder folder_;
};

TEST_F(Enrol, TurnsATokenIntoAnIdentityOnDisk) {
  const auto made = enrol(controller_.token("lyon", "pi1"), settings());
  ASSERT_TRUE(made) << made.error().what;
  const auto read = load_identity(folder_ / "state");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->agent, "lyon/pi1");
  EXPECT_EQ(read->address, controller_.address());
  EXPECT_EQ(read->verify_key, controller_.key.verify_key());
  EXPECT_EQ(read->credentials.ca_pem, controller_.authority->ca_pem());
  EXPECT_EQ(controller_.enrolment->agent("lyon/pi1")->key_id,
            *public_key_id(read->key.public_pem()));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state" / "identity.key.new"));
}

TEST_F(Enrol, SendsNothingToAControllerThatIsNotTheTokens) {
  // Somebody else's controller at the address: the token names another CA.
  LinkController impostor;
  const auto refused = enrol(controller_.token("lyon", "pi1", impostor.address()), settings());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().what, HasSubstr("not the controller that the token is of"));
  EXPECT_THAT(refused.error().what, HasSubstr(controller_.authority->fingerprint()));
  const auto counts = impostor.enrolment->counts();
  EXPECT_EQ(counts.token_malformed + counts.token_unknown + counts.token_wrong, 0U)
      << "the secret did not leave the machine";
  EXPECT_FALSE(enrolled());
}

TEST_F(Enrol, SaysWhatIsWrongWithTheToken) {
  const std::string used = controller_.token("lyon", "pi1");
  ASSERT_TRUE(controller_.enrolment->redeem(used, controller_.identity.csr_pem()));
  const std::string expired = controller_.token("lyon", "pi2", "", Seconds(10));
  controller_.clock.advance(Seconds(11));
  EnrolToken wrong = *decode_token(controller_.token("lyon", "pi3"));
  wrong.secret[3] ^= 1;
  for (const auto& [token, text] : {std::pair{used, "used already"},
                                    {expired, "expired"},
                                    {encode_token(wrong), "wrong secret"}}) {
    const auto refused = enrol(token, settings());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::denied) << text;
    EXPECT_THAT(refused.error().what, HasSubstr(text));
  }
  const auto nonsense = enrol("what is this", settings());
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, Errc::invalid);
  EXPECT_FALSE(enrolled());
}

TEST_F(Enrol, ComesAgainWithTheSameKeyWhenTheAnswerWasLost) {
  TcpProxy line(controller_.address());
  const std::string token = controller_.token("lyon", "pi1", line.address());
  std::uint64_t lost_after = 3'000;
  Result<AgentIdentity> made = fail(Errc::internal, "not tried");
  // Two dials: the first looks at the certificates, the second carries the answer. Where in its
  // bytes that lies is TLS's business: each try is cut a little later, until one is not.
  for (; !made; lost_after += 200) {
    line.on_connection([&, first = line.connections()](unsigned nth) {
      LineFate fate;
      if (nth == first + 1) fate.cut_after_bytes = lost_after;
      return fate;
    });
    made = enrol(token, settings());
    if (!made) {
      EXPECT_EQ(made.error().code, Errc::unavailable) << made.error().what;
    }
  }
  EXPECT_TRUE(enrolled());
  const auto counts = controller_.enrolment->counts();
  EXPECT_GT(counts.enrolled, 1U) << "an answer was lost, and given again";
  EXPECT_EQ(counts.token_used, 0U) << "each time to the same key";
}

TEST_F(Enrol, TriesAgainWhileTheControllerCannotBeReached) {
  const std::string token = controller_.token("lyon", "pi1");
  controller_.stop();
  CaptureStderr();
  EnrolSettings twice = settings();
  twice.attempts_max = 2;
  const auto refused = enrol(token, twice);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.enrol_again attempt=1"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "state" / "identity.key.new"));
  controller_.start();
  EXPECT_TRUE(enrol(token, settings()));
}

TEST_F(Enrol, EndsWhenTheOtherSideSaysNothing) {
  TcpProxy line(controller_.address());
  line.stall(TcpProxy::Way::both);
  const auto refused =
      enrol(controller_.token("lyon", "pi1", line.address()), settings(Seconds(1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_THAT(refused.error().what, HasSubstr(line.address()));
}

TEST_F(Enrol, ReplacesAnIdentityThatIsThere) {
  ASSERT_TRUE(enrol(controller_.token("lyon", "pi1"), settings()));
  ASSERT_TRUE(enrol(controller_.token("oslo", "pi9"), settings()));
  EXPECT_EQ(load_identity(folder_ / "state")->agent, "oslo/pi9");
}

TEST_F(Enrol, NamesTheFolderItMayNotWriteTo) {
  std::ofstream(folder_ / "state") << "a file";
  const auto refused = enrol(controller_.token("lyon", "pi1"), settings());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr((folder_ / "state").string()));
}

}  // namespace
}  // namespace farboot
