// Examinations that the controller asks for, and agents that answer as no agent of ours would.
#include <future>

#include "tests/controller/link/link_service_fixture.h"

namespace farboot {
namespace {

class LinkDoctor : public LinkServiceTest {
 protected:
  explicit LinkDoctor(LinkSettings settings = {}) : LinkServiceTest(settings) {}
  std::future<Diagnoses> ask(std::function<bool()> given_up = {}) {
    return std::async(std::launch::async, [this, given_up = std::move(given_up)] {
      return controller_.diagnose({"lyon/pi1"}, given_up);
    });
  }
  static v1::AgentMessage answer(std::uint64_t request, const std::string& severity = "warn") {
    v1::AgentMessage message;
    message.mutable_doctor()->set_request(request);
    v1::DoctorFinding& finding = *message.mutable_doctor()->add_findings();
    finding.set_check("dhcp.several");
    finding.set_severity(severity);
    finding.set_text("two\nlines \x1b[31m");
    finding.set_advice(std::string(5'000, 'a'));
    return message;
  }
};

TEST_F(LinkDoctor, AsksTheAgentAndBringsItsAnswer) {
  const auto agent = connected();
  auto asked = ask();
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  ASSERT_TRUE(agent->say(answer(request + 1'000, "fail")));  // nobody asked for that
  ASSERT_TRUE(agent->say(answer(request)));
  const Diagnoses found = asked.get();
  ASSERT_TRUE(found.at("lyon/pi1")) << found.at("lyon/pi1").error().what;
  ASSERT_EQ(found.at("lyon/pi1")->size(), 1U);
  const AgentFinding& finding = found.at("lyon/pi1")->at(0);
  EXPECT_EQ(finding.check, "dhcp.several");
  EXPECT_EQ(finding.severity, "warn");
  EXPECT_EQ(finding.text.find_first_of("\n\x1b"), std::string::npos);
  EXPECT_LE(finding.advice.size(), 1024U);
}

TEST_F(LinkDoctor, KnowsWhoIsNotThere) {
  const Diagnoses found = controller_.diagnose({"lyon/pi1"});
  EXPECT_EQ(found.at("lyon/pi1").error().code, Errc::unavailable);
}

TEST_F(LinkDoctor, TakesNoAnswerFromAnotherAgent) {
  const auto agent = connected();
  const auto other = connected(channel(controller_.enrol("lyon", "pi2", IdentityKey::generate())));
  std::atomic<bool> over = false;
  auto asked = ask([&] { return over.load(); });
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  ASSERT_TRUE(other->say(answer(request)));
  v1::AgentMessage report;
  report.mutable_report()->set_version("after that");
  ASSERT_TRUE(other->say(report));
  ASSERT_TRUE(eventually([&] { return controller_.counts().reports == 1; }));
  over = true;
  EXPECT_EQ(asked.get().at("lyon/pi1").error().code, Errc::cancelled);
}

TEST_F(LinkDoctor, TakesANewerAgentsSeverityAsTheWorst) {
  const auto agent = connected();
  auto asked = ask();
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  ASSERT_TRUE(agent->say(answer(request, "awful")));
  const Diagnoses found = asked.get();
  ASSERT_TRUE(found.at("lyon/pi1")) << found.at("lyon/pi1").error().what;
  EXPECT_EQ(found.at("lyon/pi1")->at(0).severity, "fail");
  v1::AgentMessage report;
  report.mutable_report()->set_version("after that");
  ASSERT_TRUE(agent->say(report));
  EXPECT_TRUE(eventually([&] { return controller_.counts().reports == 1; })) << "the link lives on";
}

TEST_F(LinkDoctor, EndsTheStreamOfOneThatTalksTooMuch) {
  const auto agent = connected();
  v1::AgentMessage crowd = answer(1);
  for (int i = 0; i < 256; ++i)
    *crowd.mutable_doctor()->add_findings() = crowd.doctor().findings(0);
  ASSERT_TRUE(agent->say(crowd));
  EXPECT_THAT(agent->end().what, HasSubstr("257 findings"));
}

TEST_F(LinkDoctor, IsToldWhenTheAgentGoesMeanwhile) {
  auto agent = connected();
  auto asked = ask();
  agent->hear(v1::ControllerMessage::kDoctor);
  agent.reset();
  const auto found = asked.get();
  EXPECT_EQ(found.at("lyon/pi1").error().code, Errc::unavailable);
  EXPECT_THAT(found.at("lyon/pi1").error().what, HasSubstr("what it found is lost"));
}

TEST_F(LinkDoctor, AsksAnewWhoComesBackMeanwhile) {
  const auto before = connected();
  auto asked = ask();
  const auto request = before->hear(v1::ControllerMessage::kDoctor).doctor().request();
  const auto agent = connected();  // restarted, say: it knows of no examination
  EXPECT_EQ(agent->hear(v1::ControllerMessage::kDoctor).doctor().request(), request);
  ASSERT_TRUE(agent->say(answer(request)));
  const Diagnoses found = asked.get();
  ASSERT_TRUE(found.at("lyon/pi1")) << found.at("lyon/pi1").error().what;
  EXPECT_EQ(found.at("lyon/pi1")->size(), 1U);
  // What is answered is not asked again.
  const auto third = connected();
  const auto last = ask();
  const auto next = third->hear(v1::ControllerMessage::kDoctor).doctor().request();
  EXPECT_NE(next, request);
  ASSERT_TRUE(third->say(answer(next)));
}

class LinkDoctorInHaste : public LinkDoctor {
 protected:
  LinkDoctorInHaste() : LinkDoctor({.doctor_wait = Milliseconds(50)}) {}
};

TEST_F(LinkDoctorInHaste, WaitsOnlySoLong) {
  const auto agent = connected();
  auto asked = ask();
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  EXPECT_EQ(asked.get().at("lyon/pi1").error().code, Errc::timeout);
  ASSERT_TRUE(agent->say(answer(request)));  // too late: nobody listens any more
  v1::AgentMessage report;
  report.mutable_report()->set_version("after that");
  ASSERT_TRUE(agent->say(report));
  EXPECT_TRUE(eventually([&] { return controller_.counts().reports == 1; }));
}

}  // namespace
}  // namespace farboot
