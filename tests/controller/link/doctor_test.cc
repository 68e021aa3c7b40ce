// Examinations that the controller asks for, and agents that answer as no agent of ours would.
#include <future>

#include "tests/controller/link/link_service_fixture.h"

namespace farboot {
namespace {

/// How often somebody who waits was looked for.
class Looks {
 public:
  /// For `given_up`: goes on.
  bool count() {
    ++count_;
    return false;
  }
  void wait_for_another() const {
    const int seen = count_;
    EXPECT_TRUE(eventually([&] { return count_ > seen; }));
  }

 private:
  std::atomic<int> count_ = 0;
};

class LinkDoctor : public LinkServiceTest {
 protected:
  std::future<Diagnoses> ask(std::function<bool()> given_up = {}) {
    return std::async(std::launch::async, [this, given_up = std::move(given_up)] {
      return controller_.diagnose({"lyon/pi1"}, given_up);
    });
  }
  /// An agent whose examination is asked for between its hello and its welcome.
  std::unique_ptr<HandAgent> connected_while_asked(Looks& looks, std::future<Diagnoses>& asked) {
    controller_.before_welcome([&] {
      asked = ask([&] { return looks.count(); });
      looks.wait_for_another();
    });
    auto agent = connected();
    controller_.before_welcome({});
    return agent;
  }
  /// All that the agent said was read, and its link lives on.
  void expect_heard(HandAgent& agent) {
    v1::AgentMessage report;
    report.mutable_report()->set_version("after that");
    ASSERT_TRUE(agent.say(report));
    EXPECT_TRUE(eventually([&] { return controller_.counts().reports == 1; }));
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
  expect_heard(*other);
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
  expect_heard(*agent);
}

TEST_F(LinkDoctor, EndsTheStreamOfOneThatTalksTooMuch) {
  const auto agent = connected();
  v1::AgentMessage crowd = answer(1);
  for (int i = 0; i < 256; ++i)
    *crowd.mutable_doctor()->add_findings() = crowd.doctor().findings(0);
  ASSERT_TRUE(agent->say(crowd));
  EXPECT_THAT(agent->end().what, HasSubstr("257 findings"));
}

/// Its time is the controller's clock's, which stands still: looks alone end nothing.
TEST_F(LinkDoctor, WaitsForAnAgentThatRestartsMeanwhile) {
  auto before = connected();
  Looks looks;
  auto asked = ask([&] { return looks.count(); });
  const auto request = before->hear(v1::ControllerMessage::kDoctor).doctor().request();
  before.reset();
  ASSERT_TRUE(eventually([&] { return controller_.counts().connected == 0; }));
  looks.wait_for_another();
  const auto agent = connected();
  ASSERT_EQ(agent->hear(v1::ControllerMessage::kDoctor).doctor().request(), request);
  ASSERT_TRUE(agent->say(answer(request)));
  const Diagnoses found = asked.get();
  ASSERT_TRUE(found.at("lyon/pi1")) << found.at("lyon/pi1").error().what;
}

TEST_F(LinkDoctor, IsToldWhenTheAgentDoesNotComeBack) {
  auto agent = connected();
  auto asked = ask();
  agent->hear(v1::ControllerMessage::kDoctor);
  agent.reset();
  ASSERT_TRUE(eventually([&] { return controller_.counts().connected == 0; }));
  controller_.clock.advance(LinkSettings().doctor_wait);
  const auto found = asked.get();
  EXPECT_EQ(found.at("lyon/pi1").error().code, Errc::unavailable);
  EXPECT_THAT(found.at("lyon/pi1").error().what, HasSubstr("did not come back"));
}

TEST_F(LinkDoctor, DoesNotWaitForOneThatIsRevokedMeanwhile) {
  const auto agent = connected();
  auto asked = ask();
  agent->hear(v1::ControllerMessage::kDoctor);
  ASSERT_TRUE(controller_.enrolment->revoke("lyon/pi1"));
  const auto found = asked.get();
  EXPECT_EQ(found.at("lyon/pi1").error().code, Errc::unavailable);
  EXPECT_THAT(found.at("lyon/pi1").error().what, HasSubstr("revoked"));
}

/// The first answer to a hello is the welcome: who is asked for before it is asked behind it.
TEST_F(LinkDoctor, AsksNobodyBeforeTheWelcome) {
  Looks looks;
  std::future<Diagnoses> asked;
  const auto agent = connected_while_asked(looks, asked);
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  ASSERT_TRUE(agent->say(answer(request)));
  EXPECT_TRUE(asked.get().at("lyon/pi1"));
}

TEST_F(LinkDoctor, SaysOfNoConnectionThatItBrokeWhichDidNot) {
  Looks looks;
  std::future<Diagnoses> asked;
  const auto agent = connected_while_asked(looks, asked);
  agent->hear(v1::ControllerMessage::kDoctor);
  controller_.clock.advance(LinkSettings().doctor_wait);
  EXPECT_EQ(asked.get().at("lyon/pi1").error().what, "not in time");
}

TEST_F(LinkDoctor, AsksOneThatItsExaminationsEndNoMoreThanTwice) {
  std::atomic<bool> over = false;
  auto agent = connected();
  auto asked = ask([&] { return over.load(); });
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(agent->hear(v1::ControllerMessage::kDoctor).has_doctor());
    agent = connected();
  }
  EXPECT_TRUE(eventually([&] { return asked.wait_for(Seconds(0)) == std::future_status::ready; }));
  over = true;
  const auto found = asked.get();
  ASSERT_FALSE(found.at("lyon/pi1"));
  EXPECT_EQ(found.at("lyon/pi1").error().code, Errc::unavailable);
  EXPECT_THAT(found.at("lyon/pi1").error().what, HasSubstr("broke each time it was asked"));
}

TEST_F(LinkDoctor, DoesNotAskAnewWhatWasAnsweredTooMuch) {
  const auto agent = connected();
  auto asked = ask();
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  v1::AgentMessage crowd = answer(request);
  for (int i = 0; i < 256; ++i)
    *crowd.mutable_doctor()->add_findings() = crowd.doctor().findings(0);
  ASSERT_TRUE(agent->say(crowd));
  const auto found = asked.get();
  ASSERT_FALSE(found.at("lyon/pi1"));
  EXPECT_EQ(found.at("lyon/pi1").error().code, Errc::invalid);
  EXPECT_THAT(found.at("lyon/pi1").error().what, HasSubstr("257 findings"));
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

TEST_F(LinkDoctor, WaitsOnlySoLong) {
  const auto agent = connected();
  auto asked = ask();
  const auto request = agent->hear(v1::ControllerMessage::kDoctor).doctor().request();
  controller_.clock.advance(LinkSettings().doctor_wait);
  EXPECT_EQ(asked.get().at("lyon/pi1").error().code, Errc::timeout);
  ASSERT_TRUE(agent->say(answer(request)));  // too late: nobody listens any more
  expect_heard(*agent);
}

}  // namespace
}  // namespace farboot
