// A site's agents are asked how it is; who cannot be asked is a finding, too.
#include <future>

#include "tests/controller/api/fleet_service_fixture.h"

namespace farboot {
namespace {

class DiagnoseTest : public FleetServiceTest {
 protected:
  Result<v1::DiagnoseSiteResponse> diagnose(const std::string& site) {
    v1::DiagnoseSiteRequest request;
    request.set_site(site);
    v1::DiagnoseSiteResponse answer;
    const auto viewer = stub_of(Role::viewer);
    if (auto done = call(*viewer, &Stub::DiagnoseSite, request, answer); !done) return done.error();
    return answer;
  }
};

TEST_F(DiagnoseTest, TellsWhatEachAgentFinds) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  for (const char* name : {"pi1", "pi2", "pi3"}) controller_.enrol("lyon", name);
  std::vector<std::string> asked;
  controller_.diagnose = [&](const auto& agents, const auto&) {
    asked = agents;
    Diagnoses out;
    out.emplace("lyon/pi1", std::vector<AgentFinding>{{"a.b", "fail", "broken", "mend it"},
                                                      {"c.d", "warn", "odd", ""},
                                                      {"e.f", "ok", "fine", ""}});
    out.emplace("lyon/pi2", fail(Errc::unavailable, "it is not connected"));
    out.emplace("lyon/pi3", fail(Errc::timeout, "it did not answer in time"));
    return out;
  };
  const auto answer = diagnose("lyon");
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_THAT(asked, ElementsAre("lyon/pi1", "lyon/pi2", "lyon/pi3"));
  std::vector<std::string> lines;
  for (const v1::Finding& finding : answer->findings())
    lines.push_back(finding.agent() + " " + finding.check() + " " + finding.severity());
  EXPECT_THAT(lines, ElementsAre("lyon/pi1 a.b error", "lyon/pi1 c.d warning", "lyon/pi1 e.f ok",
                                 "lyon/pi2 agent.offline error", "lyon/pi3 agent.silent error"));
  EXPECT_EQ(answer->findings(0).text(), "broken");
  EXPECT_EQ(answer->findings(0).advice(), "mend it");
  EXPECT_THAT(answer->findings(3).advice(), HasSubstr("farboot-agent doctor"));
}

TEST_F(DiagnoseTest, LeavesOutAgentsThatAreRevoked) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  controller_.enrol("lyon", "pi1");
  ASSERT_TRUE(controller_.enrolment.revoke("lyon/pi1"));
  controller_.diagnose = [](const auto&, const auto&) -> Diagnoses {
    ADD_FAILURE() << "nobody is there to be asked";
    return {};
  };
  const auto answer = diagnose("lyon");
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_EQ(answer->findings_size(), 1);
  EXPECT_EQ(answer->findings(0).check(), "site.no_agent");
  EXPECT_EQ(answer->findings(0).severity(), "error");
}

TEST_F(DiagnoseTest, KnowsNoOtherSites) {
  const auto answer = diagnose("atlantis");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::not_found);
}

TEST_F(DiagnoseTest, IsGivenUpWhenTheCallerGoes) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  controller_.enrol("lyon", "pi1");
  std::promise<void> begun, ended;
  controller_.diagnose = [&](const auto&, const auto& given_up) {
    begun.set_value();
    while (!given_up()) std::this_thread::yield();
    ended.set_value();
    return Diagnoses{};
  };
  grpc::ClientContext context;
  std::thread caller([&] {
    v1::DiagnoseSiteRequest request;
    request.set_site("lyon");
    v1::DiagnoseSiteResponse answer;
    EXPECT_FALSE(admin_->DiagnoseSite(&context, request, &answer).ok());
  });
  begun.get_future().get();
  context.TryCancel();
  caller.join();
  ended.get_future().get();
}

}  // namespace
}  // namespace farboot
