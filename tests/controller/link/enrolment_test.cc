// Who may come in: tokens, certificates, revocation, renewal.
#include "common/rpc/grpc_log.h"
#include "tests/controller/link/link_service_fixture.h"

namespace farboot {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

class LinkEnrolment : public LinkServiceTest {
 protected:
  struct Answer {
    v1::EnrollResponse response;
    Error error{Errc::internal, ""};
  };
  Answer enroll(const std::string& token, const std::string& csr_pem) {
    // As a Pi comes that has no certificate yet.
    const auto stub =
        v1::Enrolment::NewStub(channel(Credentials{controller_.authority->ca_pem(), "", ""}));
    v1::EnrollRequest request;
    request.set_token(token);
    request.set_csr_pem(csr_pem);
    Answer answer;
    const auto context = patient();
    const grpc::Status status = stub->Enroll(context.get(), request, &answer.response);
    if (!status.ok()) answer.error = to_error(status);
    return answer;
  }
  Answer enroll(const std::string& token) { return enroll(token, key_.csr_pem()); }
  Enrolment::Counts counts() { return controller_.enrolment->counts(); }

  IdentityKey key_ = IdentityKey::generate();
};

TEST_F(LinkEnrolment, GivesACertificateForATokenAndItOpensTheDoor) {
  const std::string token = controller_.token("oslo", "pi1");
  const Answer answer = enroll(token);
  ASSERT_EQ(answer.error.what, "");
  EXPECT_EQ(answer.response.agent(), "oslo/pi1");
  EXPECT_EQ(answer.response.site(), "oslo");
  EXPECT_EQ(answer.response.name(), "pi1");
  EXPECT_EQ(answer.response.address(), controller_.address());
  EXPECT_EQ(answer.response.ca_pem(), controller_.authority->ca_pem());
  EXPECT_EQ(answer.response.verify_key(), as_text(controller_.key.verify_key().bytes()));
  EXPECT_EQ(answer.response.time_ms(), to_proto_ms(controller_.clock.wall()));
  HandAgent agent(
      channel({answer.response.ca_pem(), answer.response.certificate_pem(), key_.to_pem()}));
  agent.hello();
  EXPECT_EQ(agent.hear().body_case(), v1::ControllerMessage::kWelcome);
}

TEST_F(LinkEnrolment, RefusesATokenThatWasUsedExceptToItsKey) {
  const std::string token = controller_.token("oslo", "pi1");
  ASSERT_EQ(enroll(token).error.what, "");
  // Its answer may have been lost on the way.
  EXPECT_EQ(enroll(token).error.what, "");
  CaptureStderr();
  const Error error = enroll(token, IdentityKey::generate().csr_pem()).error;
  const std::string log = GetCapturedStderr();
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.what, HasSubstr("used already"));
  EXPECT_EQ(counts().token_used, 1U);
  EXPECT_THAT(log, HasSubstr("event=pki.token_refused reason=used"));
  EXPECT_EQ(log.find(token.substr(10)), std::string::npos) << "the secret is not for the log";
}

TEST_F(LinkEnrolment, RefusesATokenThatHasExpiredByItsOwnClock) {
  const std::string token = controller_.token("oslo", "pi1", "", Seconds(60));
  controller_.clock.advance(Seconds(61));
  CaptureStderr();
  const Error error = enroll(token).error;
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=pki.token_refused reason=expired"));
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.what, HasSubstr("expired"));
  EXPECT_EQ(counts().token_expired, 1U);
}

TEST_F(LinkEnrolment, RefusesATokenItDidNotMake) {
  auto token = decode_token(controller_.token("oslo", "pi1"));
  ASSERT_TRUE(token);
  EnrolToken guessed = *token;
  guessed.secret[0] ^= 1;
  CaptureStderr();
  EXPECT_EQ(enroll(encode_token(guessed)).error.code, Errc::denied);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=pki.token_refused reason=\"wrong secret\""));
  EXPECT_EQ(counts().token_wrong, 1U);
  EnrolToken unknown = *token;
  unknown.id[0] ^= 1;
  CaptureStderr();
  EXPECT_EQ(enroll(encode_token(unknown)).error.code, Errc::denied);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=pki.token_refused reason=unknown"));
  EXPECT_EQ(counts().token_unknown, 1U);
  // Nothing was used up by that.
  EXPECT_EQ(enroll(encode_token(*token)).error.what, "");
}

TEST_F(LinkEnrolment, RefusesWhatIsNoTokenAndNoRequest) {
  const std::string token = controller_.token("oslo", "pi1");
  EXPECT_EQ(enroll("fb1.nonsense").error.code, Errc::invalid);
  EXPECT_EQ(enroll("").error.code, Errc::invalid);
  EXPECT_EQ(enroll(std::string(100'000, 'a')).error.code, Errc::invalid);
  EXPECT_EQ(enroll(token, "not a request").error.code, Errc::invalid);
  EXPECT_EQ(enroll(token, std::string(100'000, 'a')).error.code, Errc::invalid);
  EXPECT_EQ(enroll(token).error.what, "") << "none of these used the token up";
  expect_alive();
}

TEST_F(LinkEnrolment, AFloodOfBadTokensIsCountedAndNotWritten) {
  CaptureStderr();
  for (int i = 0; i < 80; ++i)
    EXPECT_FALSE(controller_.enrolment->redeem("fb1.nonsense", key_.csr_pem()));
  EXPECT_EQ(lines_of("pki.token_refused", GetCapturedStderr()), 60U) << "a burst; no time passes";
  EXPECT_EQ(counts().token_malformed, 80U);
}

TEST_F(LinkEnrolment, RefusesARequestThatIsLargeInAnyOfItsFields) {
  const auto stub =
      v1::Enrolment::NewStub(channel(Credentials{controller_.authority->ca_pem(), "", ""}));
  v1::EnrollRequest request;
  request.set_token(controller_.token("oslo", "pi1"));
  request.set_csr_pem(key_.csr_pem());
  request.set_version(std::string(1'000'000, 'v'));
  v1::EnrollRequest unknown = request;
  unknown.set_version("0.1");
  v1::EnrollRequest later;  // a field that this version does not know
  ASSERT_TRUE(later.ParseFromString("\x9a\x06\x80\x80\x08" + std::string(131'072, 'x')));
  unknown.MergeFrom(later);
  for (const v1::EnrollRequest& large : {request, unknown}) {
    const auto context = patient();
    v1::EnrollResponse response;
    const grpc::Status status = stub->Enroll(context.get(), large, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  }
  EXPECT_EQ(enroll(request.token()).error.what, "") << "neither used the token up";
}

TEST_F(LinkEnrolment, RefusesACertificateOfAnotherAuthority) {
  TempFolder folder;
  const auto other = Authority::open(folder.path(), controller_.clock);
  ASSERT_TRUE(other);
  const auto forged = (*other)->issue_agent(key_.csr_pem(), "lyon", "pi1");
  ASSERT_TRUE(forged);
  const std::uint64_t before = handshakes_refused();
  CaptureStderr();
  // It trusts our controller, and claims to be an agent that there is.
  HandAgent agent(
      channel({controller_.authority->ca_pem(), forged->certificate_pem, key_.to_pem()}));
  agent.hello();
  const Error error = agent.end();
  ASSERT_TRUE(eventually([&] { return handshakes_refused() > before; }));
  EXPECT_EQ(error.code, Errc::unavailable) << error.what;
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=rpc.handshake_refused"));
  EXPECT_EQ(controller_.counts().connects, 0U);
  expect_alive();
}

TEST_F(LinkEnrolment, AdmitsNobodyWithoutAnAgentsCertificate) {
  const IdentityKey own = IdentityKey::generate();
  const auto stranger = controller_.authority->issue_operator(own.csr_pem(), "ada", Role::admin);
  ASSERT_TRUE(stranger);
  const Credentials nobody{controller_.authority->ca_pem(), "", ""};
  const Credentials ada{controller_.authority->ca_pem(), stranger->certificate_pem, own.to_pem()};
  std::uint64_t refused = 0;
  for (const Credentials& credentials : {nobody, ada}) {
    const auto over = channel(credentials);
    CaptureStderr();
    HandAgent agent(over);
    agent.hello();
    EXPECT_EQ(agent.end().code, Errc::denied);
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=pki.agent_refused"));
    EXPECT_EQ(counts().agent_refused, ++refused);
    const Digest release;
    EXPECT_EQ(fetch(over, want(release, std::span(&release, 1))).error.code, Errc::denied);
    EXPECT_EQ(counts().agent_refused, ++refused);
  }
}

TEST_F(LinkEnrolment, RefusesTheCertificateOfAnEarlierEnrolment) {
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  const Credentials anew = controller_.enrol("lyon", "pi1", key_);
  HandAgent old(channel(lyon_));
  old.hello();
  const Error error = old.end();
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.what, HasSubstr("earlier enrolment"));
  HandAgent fresh(channel(anew));
  fresh.hello();
  EXPECT_EQ(fresh.hear().body_case(), v1::ControllerMessage::kWelcome);
}

TEST_F(LinkEnrolment, CutsARevokedAgentOffAndSaysWhy) {
  auto agent = connected();
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  const Error error = agent->end();
  EXPECT_EQ(error.code, Errc::denied);
  EXPECT_THAT(error.what, HasSubstr("revoked"));
  EXPECT_TRUE(eventually([&] { return !controller_.online("lyon/pi1"); }));
  HandAgent again(channel(lyon_));
  again.hello();
  EXPECT_EQ(again.end().code, Errc::denied);
  EXPECT_EQ(counts().agent_refused, 1U);
}

class LinkRenewal : public LinkEnrolment {
 protected:
  Answer renew(const Credentials& credentials, const std::string& csr_pem) {
    const auto stub = v1::Link::NewStub(channel(credentials));
    v1::RenewCertificateRequest request;
    request.set_csr_pem(csr_pem);
    v1::RenewCertificateResponse response;
    Answer answer;
    const auto context = patient();
    const grpc::Status status = stub->RenewCertificate(context.get(), request, &response);
    if (!status.ok()) answer.error = to_error(status);
    answer.response.set_certificate_pem(response.certificate_pem());
    answer.response.set_ca_pem(response.ca_pem());
    return answer;
  }
};

TEST_F(LinkRenewal, GivesAFreshCertificateForTheSameKeyAndLeavesTheStreamOpen) {
  auto agent = connected();
  const Answer answer = renew(lyon_, controller_.identity.csr_pem());
  ASSERT_EQ(answer.error.what, "");
  EXPECT_NE(answer.response.certificate_pem(), lyon_.certificate_pem);
  EXPECT_EQ(answer.response.ca_pem(), lyon_.ca_pem);
  EXPECT_EQ(counts().renewed, 1U);
  // The record changed, but not who the agent is.
  v1::AgentMessage message;
  message.mutable_report()->set_version("still here");
  ASSERT_TRUE(agent->say(message));
  EXPECT_TRUE(eventually([&] {
    const auto report = controller_.report("lyon/pi1");
    return report && report->version == "still here";
  }));
  HandAgent fresh(
      channel({lyon_.ca_pem, answer.response.certificate_pem(), controller_.identity.to_pem()}));
  fresh.hello();
  EXPECT_EQ(fresh.hear().body_case(), v1::ControllerMessage::kWelcome);
}

TEST_F(LinkRenewal, AFloodWithoutACertificateIsCountedAndNotWritten) {
  const auto stub =
      v1::Link::NewStub(channel(Credentials{controller_.authority->ca_pem(), "", ""}));
  CaptureStderr();
  for (int i = 0; i < 80; ++i) {
    const auto context = patient();
    v1::RenewCertificateResponse response;
    EXPECT_FALSE(stub->RenewCertificate(context.get(), {}, &response).ok());
  }
  EXPECT_EQ(lines_of("pki.agent_refused", GetCapturedStderr()), 60U) << "a burst; no time passes";
  EXPECT_EQ(counts().agent_refused, 80U);
  // It hides nobody who comes with a certificate that was good once.
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  CaptureStderr();
  EXPECT_EQ(renew(lyon_, controller_.identity.csr_pem()).error.code, Errc::denied);
  EXPECT_THAT(GetCapturedStderr(),
              HasSubstr("event=pki.agent_refused agent=lyon/pi1 reason=revoked"));
}

TEST_F(LinkRenewal, RefusesAnotherKeyAndWhoIsNotAdmitted) {
  EXPECT_EQ(renew(lyon_, key_.csr_pem()).error.code, Errc::denied);
  EXPECT_EQ(renew(lyon_, "nonsense").error.code, Errc::invalid);
  EXPECT_EQ(renew(lyon_, std::string(100'000, 'x')).error.code, Errc::invalid);
  const Credentials nobody{controller_.authority->ca_pem(), "", ""};
  EXPECT_EQ(renew(nobody, controller_.identity.csr_pem()).error.code, Errc::denied);
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  EXPECT_EQ(renew(lyon_, controller_.identity.csr_pem()).error.code, Errc::denied);
  EXPECT_EQ(counts().renewed, 0U);
}

}  // namespace
}  // namespace farboot
