// Who may call, while certificates come and go.
#include "common/content/identity_key.h"
#include "tests/controller/api/fleet_service_fixture.h"
#include "tests/support/eventually.h"

namespace farboot {
namespace {

class OperatorsTest : public FleetServiceTest {
 protected:
  Result<v1::IssueOperatorResponse> issue(Stub& by, const std::string& name,
                                          const std::string& role, const IdentityKey& key) {
    v1::IssueOperatorRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_csr_pem(key.csr_pem());
    v1::IssueOperatorResponse answer;
    const auto done = call(by, &Stub::IssueOperator, request, answer);
    if (!done) return done.error();
    return answer;
  }
  /// A stub of a new operator, made by the admin.
  std::unique_ptr<Stub> bring_in(const std::string& name, const std::string& role) {
    const IdentityKey key = IdentityKey::generate();
    const auto issued = issue(*admin_, name, role, key);
    EXPECT_TRUE(issued) << issued.error().what;
    return stub_of(Credentials{issued->ca_pem(), issued->certificate_pem(), key.to_pem()});
  }
  Result<void> revoke(Stub& by, const std::string& name) {
    v1::RevokeOperatorRequest request;
    request.set_name(name);
    v1::RevokeOperatorResponse answer;
    return call(by, &Stub::RevokeOperator, request, answer);
  }
  Result<void> look(Stub& by) {
    v1::ListImagesResponse images;
    return call(by, &Stub::ListImages, v1::ListImagesRequest(), images);
  }
};

TEST_F(OperatorsTest, AnIssuedCertificateOpensTheDoorAndARevokedOneAtOnceNoMore) {
  const auto bob = bring_in("bob", "operator");
  ASSERT_TRUE(look(*bob));
  ASSERT_TRUE(revoke(*admin_, "bob"));
  // The same stub: its connection is open since before.
  ::testing::internal::CaptureStderr();
  const auto refused = look(*bob);
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().what, HasSubstr("operator bob: certificate revoked"));
  EXPECT_THAT(log, HasSubstr("event=pki.operator_refused operator=bob"));
  v1::FleetStatus status;
  ASSERT_TRUE(call(&Stub::GetStatus, v1::GetStatusRequest(), status));
  EXPECT_EQ(status.refusals().operators(), 1u);
}

TEST_F(OperatorsTest, ACertificateThatIsInNoBookIsRefused) {
  const IdentityKey key = IdentityKey::generate();
  const auto stray = controller_.authority->issue_operator(key.csr_pem(), "eve", Role::admin);
  ASSERT_TRUE(stray);
  const auto eve =
      stub_of(Credentials{controller_.authority->ca_pem(), stray->certificate_pem, key.to_pem()});
  const auto refused = look(*eve);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().what, HasSubstr("certificate unknown here"));
}

TEST_F(OperatorsTest, OnlyAdminsLetPeopleIn) {
  const auto bob = bring_in("bob", "operator");
  EXPECT_EQ(issue(*bob, "carl", "viewer", IdentityKey::generate()).error().code, Errc::denied);
  EXPECT_EQ(revoke(*bob, "ada").error().code, Errc::denied);
  v1::ListOperatorsResponse list;
  ASSERT_TRUE(call(*bob, &Stub::ListOperators, v1::ListOperatorsRequest(), list));
  ASSERT_EQ(list.operators_size(), 2);
  EXPECT_EQ(list.operators(0).name(), "ada");
  EXPECT_EQ(list.operators(1).name(), "bob");
  EXPECT_EQ(list.operators(1).issued_by(), "ada");
  EXPECT_EQ(list.operators(1).certificate_serial().size(), 32u);
}

TEST_F(OperatorsTest, TheLastAdminCannotBeRevoked) {
  const auto last = revoke(*admin_, "ada");
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Errc::conflict);
  const auto carl = bring_in("carl", "admin");
  EXPECT_TRUE(revoke(*carl, "ada"));
  EXPECT_FALSE(look(*admin_));
}

TEST_F(OperatorsTest, RefusesRolesAndRequestsThatAreNone) {
  EXPECT_EQ(issue(*admin_, "bob", "root", IdentityKey::generate()).error().code, Errc::invalid);
  EXPECT_EQ(issue(*admin_, "Bob!", "viewer", IdentityKey::generate()).error().code, Errc::invalid);
  v1::IssueOperatorRequest request;
  request.set_name("bob");
  request.set_role("viewer");
  v1::IssueOperatorResponse answer;
  EXPECT_EQ(call(&Stub::IssueOperator, request, answer).error().code, Errc::invalid);
}

TEST_F(OperatorsTest, AWatchEndsWhenItsOperatorIsRevoked) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  controller_.enrol("lyon", "pi1");
  start_rollout();
  const auto bob = bring_in("bob", "viewer");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + Seconds(60));
  const auto reader = bob->WatchRollout(&context, v1::GetRolloutRequest());
  v1::Rollout rollout;
  ASSERT_TRUE(reader->Read(&rollout));
  ASSERT_TRUE(revoke(*admin_, "bob"));
  while (reader->Read(&rollout)) {
  }
  EXPECT_EQ(to_result(reader->Finish()).error().code, Errc::denied);
}

}  // namespace
}  // namespace farboot
