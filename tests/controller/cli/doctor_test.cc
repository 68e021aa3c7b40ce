// What `farboot doctor` prints, and its exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/cli/verb_tables.h"
#include "tests/controller/cli/run_words.h"
#include "tests/support/golden.h"
#include "tests/support/test_controller.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class DoctorVerb : public ::testing::Test {
 protected:
  DoctorVerb() {
    Site lyon;
    lyon.name = "lyon";
    Transaction writes;
    EXPECT_TRUE(controller_.fleet.put_site(writes, lyon));
    EXPECT_TRUE(controller_.state.commit(writes));
    for (const char* name : {"pi1", "pi2"}) controller_.enrol("lyon", name);
  }
  std::pair<int, std::string> run(std::vector<std::string> words) {
    return test::run_words(controller_.context(Role::viewer), std::move(words));
  }
  TestController controller_;
};

TEST_F(DoctorVerb, TellsOfEachAgentAndHasAStatusForScripts) {
  controller_.diagnose = [](const auto&, const auto&) {
    Diagnoses out;
    out.emplace(
        "lyon/pi1",
        std::vector<AgentFinding>{
            {"dhcp.boot_file", "fail", "10.4.0.1 on eth0: its lease names a boot file", "clear it"},
            {"dhcp.several", "warn", "2 DHCP servers give addresses", "leave one on"},
            {"dhcp.server", "ok", "10.4.0.1 on eth0: gives addresses", ""}});
    out.emplace("lyon/pi2", fail(Errc::unavailable, "it is not connected"));
    return out;
  };
  const auto [exit, text] = run({"doctor", "lyon"});
  EXPECT_EQ(exit, 1);
  expect_golden("cli/doctor.txt", text);
  const auto [status, json] = run({"doctor", "lyon", "-o", "json"});
  EXPECT_EQ(status, 1);
  expect_golden("cli/doctor-json.txt", json);
}

TEST_F(DoctorVerb, EndsWellWhereMachinesBoot) {
  controller_.diagnose = [](const auto& agents, const auto&) {
    Diagnoses out;
    for (const std::string& agent : agents)
      out.emplace(agent, std::vector<AgentFinding>{{"mode.observe", "warn", "silent", "speak"}});
    return out;
  };
  EXPECT_EQ(run({"doctor", "lyon"}).first, 0);
}

TEST(DoctorVerbStatus, TakesANewerControllersWordAsTheWorst) {
  v1::DiagnoseSiteResponse answer;
  EXPECT_FALSE(sick(answer.findings()));
  for (const char* word : {"ok", "warning"}) answer.add_findings()->set_severity(word);
  EXPECT_FALSE(sick(answer.findings()));
  answer.mutable_findings(0)->set_severity("critical");
  EXPECT_TRUE(sick(answer.findings()));
}

TEST_F(DoctorVerb, RefusesASiteThatIsNone) {
  const auto [exit, text] = run({"doctor", "atlantis"});
  EXPECT_EQ(exit, 3);
  EXPECT_THAT(text, HasSubstr("atlantis"));
}

}  // namespace
}  // namespace farboot
