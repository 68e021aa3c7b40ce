// Every call of the service by everybody: who is let in, and to what.
#include <future>
#include <map>
#include <optional>

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>

#include "tests/controller/api/fleet_service_fixture.h"

namespace farboot {
namespace {

/// What each call asks for, as fleet.proto says. The others are of later versions.
const std::map<std::string, Role> kLeast{
    {"GetController", Role::viewer},  {"GetStatus", Role::viewer},
    {"ImportImage", Role::operate},   {"ListImages", Role::viewer},
    {"GetImage", Role::viewer},       {"RemoveImage", Role::operate},
    {"ImportLoaders", Role::operate}, {"RemoveLoaders", Role::operate},
    {"GetLoaders", Role::viewer},     {"DiffFleet", Role::viewer},
    {"ApplyFleet", Role::operate},    {"ListReleases", Role::viewer},
    {"GetRelease", Role::viewer},     {"ListSites", Role::viewer},
    {"GetSite", Role::viewer},        {"CreateEnrolmentToken", Role::admin},
    {"ListAgents", Role::viewer},     {"RevokeAgent", Role::admin},
    {"DiagnoseSite", Role::viewer},   {"IssueOperator", Role::admin},
    {"ListOperators", Role::viewer},  {"RevokeOperator", Role::admin},
    {"ListHosts", Role::viewer},      {"SetHost", Role::operate},
    {"InstallHost", Role::operate},   {"StartRollout", Role::operate},
    {"GetRollout", Role::viewer},     {"ListRollouts", Role::viewer},
    {"WatchRollout", Role::viewer},   {"PauseRollout", Role::operate},
    {"ResumeRollout", Role::operate}, {"AbortRollout", Role::operate}};

class DoorTest : public FleetServiceTest {
 protected:
  /// How a call with an empty request ends. A stream of one message is a single call on the wire.
  static grpc::StatusCode knock(grpc::GenericStub& at, const std::string& call) {
    const grpc::Slice nothing;
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer answer;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + Seconds(60));
    std::promise<grpc::StatusCode> ended;
    at.UnaryCall(&context, "/farboot.v1.FleetService/" + call, {}, &request, &answer,
                 [&](const grpc::Status& status) { ended.set_value(status.error_code()); });
    return ended.get_future().get();
  }
  /// `role`: none for who is no operator.
  void expect_door(const Credentials& who, std::optional<Role> role) {
    const auto channel = dial(controller_.address(), who);
    ASSERT_TRUE(channel) << channel.error().what;
    grpc::GenericStub stub(*channel);
    const auto& service = *v1::FleetSpec::descriptor()->file()->FindServiceByName("FleetService");
    std::size_t known = 0;
    for (int i = 0; i < service.method_count(); ++i) {
      const std::string& call = service.method(i)->name();
      const grpc::StatusCode code = knock(stub, call);
      const auto least = kLeast.find(call);
      if (least == kLeast.end()) {
        EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED) << call;
        continue;
      }
      ++known;
      const bool denied = code == grpc::StatusCode::PERMISSION_DENIED;
      EXPECT_EQ(denied, !role || *role < least->second) << call << ": " << code;
    }
    EXPECT_EQ(known, kLeast.size());
  }
};

TEST_F(DoorTest, IsShutToWhoHasNoCertificate) {
  expect_door({controller_.authority->ca_pem(), "", ""}, std::nullopt);
}

TEST_F(DoorTest, IsShutToAgents) {
  const auto issued =
      controller_.authority->issue_agent(controller_.identity.csr_pem(), "lyon", "pi1");
  ASSERT_TRUE(issued) << issued.error().what;
  expect_door(
      {controller_.authority->ca_pem(), issued->certificate_pem, controller_.identity.to_pem()},
      std::nullopt);
}

TEST_F(DoorTest, OpensAsFarAsTheRoleGoes) {
  for (const Role role : {Role::viewer, Role::operate, Role::admin}) {
    SCOPED_TRACE(to_string(role));
    expect_door(controller_.operator_credentials(role), role);
  }
}

}  // namespace
}  // namespace farboot
