// An examination over both ends of the link.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "agent/link/convert.h"
#include "tests/agent/link/link_agent.h"
#include "tests/support/link_controller.h"

namespace farboot {
namespace {

using doctor::Finding;
using doctor::Severity;

TEST(DoctorConvert, KeepsWhatIsSaidWithinTheBoundsOfTheWire) {
  std::vector<Finding> many(300, {"a.b", Severity::warn, "eth0", std::string(5'000, 'x'), "fix\n"});
  many[0] = {"c.d", Severity::fail, "", "what", ""};
  many[1] = {"e.f", Severity::ok, "UDP 69", "silent", "open it"};
  const v1::DoctorResult result = doctor_of(7, many);
  EXPECT_EQ(result.request(), 7U);
  ASSERT_EQ(result.findings_size(), 256);
  EXPECT_EQ(result.findings(0).severity(), "fail");
  EXPECT_EQ(result.findings(0).text(), "what");
  EXPECT_EQ(result.findings(1).text(), "UDP 69: silent");
  EXPECT_EQ(result.findings(1).advice(), "open it");
  EXPECT_EQ(result.findings(1).severity(), "ok");
  EXPECT_EQ(result.findings(2).severity(), "warn");
  EXPECT_LE(result.findings(2).text().size(), 1024U);
  EXPECT_EQ(result.findings(2).advice().find('\n'), std::string::npos);
}

class DoctorLink : public ::testing::Test {
 protected:
  void start() {
    agent_.enrol(controller_.token("lyon", "pi1"));
    agent_.start();
    ASSERT_TRUE(eventually([&] { return controller_.online("lyon/pi1"); }));
  }
  LinkController controller_;
  LinkAgent agent_;
};

TEST_F(DoctorLink, BringsTheFindingsToWhoAsked) {
  agent_.examine = [](const auto& done) {
    done({{"dhcp.none", Severity::fail, "eth0", "nobody", "switch it on"}});
  };
  start();
  const auto found = controller_.diagnose({"lyon/pi1", "lyon/pi2"});
  ASSERT_EQ(found.size(), 2U);
  ASSERT_TRUE(found.at("lyon/pi1")) << found.at("lyon/pi1").error().what;
  const AgentFinding expected{"dhcp.none", "fail", "eth0: nobody", "switch it on"};
  EXPECT_EQ(*found.at("lyon/pi1"), std::vector<AgentFinding>{expected});
  EXPECT_EQ(found.at("lyon/pi2").error().code, Errc::unavailable);
}

TEST_F(DoctorLink, GivesEachAskerAnAnswerOfItsOwn) {
  std::atomic<int> asked = 0;
  agent_.examine = [&](const auto& done) {
    done({{fmt::format("n.{}", ++asked), Severity::ok, "", "", ""}});
  };
  start();
  auto one = std::async(std::launch::async, [&] { return controller_.diagnose({"lyon/pi1"}); });
  const auto two = controller_.diagnose({"lyon/pi1"});
  const auto first = one.get();
  ASSERT_TRUE(first.at("lyon/pi1") && two.at("lyon/pi1"));
  EXPECT_NE(first.at("lyon/pi1")->at(0).check, two.at("lyon/pi1")->at(0).check);
}

TEST_F(DoctorLink, OutlivesALinkThatEndsBeforeItIsThrough) {
  std::promise<std::function<void(const std::vector<Finding>&)>> held;
  agent_.examine = [&](const auto& done) { held.set_value(done); };
  start();
  auto asked = std::async(std::launch::async, [&] { return controller_.diagnose({"lyon/pi1"}); });
  const auto done = held.get_future().get();
  agent_.stop();
  ASSERT_TRUE(eventually([&] { return controller_.counts().connected == 0; }));
  controller_.clock.advance(LinkSettings().doctor_wait);
  EXPECT_EQ(asked.get().at("lyon/pi1").error().code, Errc::unavailable);
  done({});  // of a link that is gone: AddressSanitizer looks
}

}  // namespace
}  // namespace farboot
