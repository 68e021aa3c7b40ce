#include "agent/doctor/doctor.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <fstream>
#include <future>
#include <stdexcept>

#include "agent/doctor/judge.h"
#include "agent/site/local_control.h"
#include "tests/agent/doctor/dnsmasq.h"
#include "tests/agent/doctor/live_agent.h"
#include "tests/support/golden.h"
#include "tests/support/loop_thread.h"
#include "tests/support/udp_client.h"

namespace farboot::doctor {
namespace {

using ::testing::HasSubstr;

Question about_nothing(Milliseconds wait) {
  Question question;
  question.own.interfaces = {{"lo", Ipv4::of(127, 0, 0, 1)}};
  question.lan.interfaces = question.own.interfaces;
  question.lan.wait = wait;
  question.boot.servers = {Ipv4::of(127, 0, 0, 1), 1, 1, 1};
  question.boot.patience.datagram = Milliseconds(1);
  return question;
}

TEST(DoctorRun, TellsEverybodyWhoAskedMeanwhile) {
  LoopThread thread;
  std::promise<std::vector<Finding>> first, second;
  int asked = 0;
  Doctor doctor(thread.loop(), [&asked] { return ++asked, about_nothing(Milliseconds(300)); });
  thread.call([&] {
    EXPECT_TRUE(doctor.examine([&](const auto& found) { first.set_value(found); }));
    EXPECT_TRUE(doctor.examine([&](const auto& found) { second.set_value(found); }));
  });
  const auto found = first.get_future().get();
  EXPECT_FALSE(found.empty());
  EXPECT_EQ(second.get_future().get(), found);
  EXPECT_EQ(asked, 1);
  std::promise<void> again;
  thread.call([&] { EXPECT_TRUE(doctor.examine([&](const auto&) { again.set_value(); })); });
  again.get_future().get();
  EXPECT_EQ(asked, 2);
  thread.call([&] { doctor.stop(); });
}

TEST(DoctorRun, LetsOnlySoManyWaitAndStopsInTheMiddle) {
  if (::geteuid() != 0) GTEST_SKIP() << "no LAN can be asked";
  LoopThread thread;
  std::promise<void> begun;
  Doctor doctor(thread.loop(), [&] {
    Question question = about_nothing(Milliseconds(3'600'000));
    question.lan.enough = [&begun, first = true](const auto&) mutable {
      if (std::exchange(first, false)) begun.set_value();
      return false;
    };
    return question;
  });
  int told = 0;
  thread.call([&] {
    for (std::size_t i = 0; i < Doctor::kAskersMax; ++i)
      EXPECT_TRUE(doctor.examine([&](const auto&) { ++told; }));
    const auto refused = doctor.examine([&](const auto&) { ++told; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted);
  });
  begun.get_future().get();
  thread.call([&] {
    doctor.stop();  // or this test hangs for an hour
    EXPECT_FALSE(doctor.examine([&](const auto&) { ++told; }));
  });
  EXPECT_EQ(told, 0);
}

std::vector<Finding> findings_of(std::function<Question()> ask) {
  LoopThread thread;
  Doctor doctor(thread.loop(), std::move(ask));
  std::promise<std::vector<Finding>> told;
  thread.call([&] {
    const auto begun = doctor.examine([&](const auto& found) { told.set_value(found); });
    if (!begun) told.set_value({{"refused", Severity::fail, "", begun.error().what, ""}});
  });
  auto found = told.get_future().get();
  thread.call([&] { doctor.stop(); });
  return found;
}

TEST(DoctorRun, ThatBreaksInTheMiddleIsAFinding) {
  if (::geteuid() != 0) GTEST_SKIP() << "no LAN can be asked";
  const auto found = findings_of([] {
    Question question = about_nothing(Milliseconds(3'600'000));
    question.lan.enough = [](const auto&) -> bool { throw std::runtime_error("out of luck"); };
    return question;
  });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, "doctor.failed");
  EXPECT_EQ(found[0].severity, Severity::fail);
  EXPECT_EQ(found[0].what, "out of luck");
}

TEST(DoctorRun, ThatCannotBeginLeavesNobodyWaiting) {
  const auto found = findings_of([]() -> Question { throw std::runtime_error("out of memory"); });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0].what, HasSubstr("out of memory"));
}

/// The whole way: the agent's control socket, a router on its LAN.
class DoctorAtAnAgent : public LiveAgent {
 protected:
  void start_router(std::vector<std::string> more = {}) {
    net_.enter_client();
    more.insert(more.begin(), "--dhcp-range=10.77.0.100,10.77.0.199,255.255.255.0,1h");
    router_ = std::make_unique<Dnsmasq>(std::move(more));
    net_.enter_server();
  }
  /// Hears the LAN being asked: an examination has begun.
  std::unique_ptr<UdpClient> bystander() {
    net_.enter_client();
    auto made = std::make_unique<UdpClient>(Ipv4{}, 67);
    net_.enter_server();
    return made;
  }
  std::vector<Finding> examine() {
    const auto found = examine_at_agent(config_.control_socket());
    EXPECT_TRUE(found) << found.error().what;
    return found ? *found : std::vector<Finding>();
  }
  /// The program, as it is installed: its status, and what it printed.
  std::pair<int, std::string> program(const std::string& arguments) {
    std::ofstream(folder_ / "agent.toml")
        << "state_dir = \"" << config_.state_dir << "\"\ninterfaces = [\"server0\"]\n";
    const std::string command =
        fmt::format("{} --config {} {} >{}", FARBOOT_AGENT, (folder_ / "agent.toml").string(),
                    arguments, (folder_ / "out").string());
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), golden::read_text(folder_ / "out")};
  }
  std::unique_ptr<Dnsmasq> router_;
};

TEST_F(DoctorAtAnAgent, IsContentWithACleanSite) {
  if (!std::filesystem::exists("/usr/sbin/dnsmasq")) GTEST_SKIP() << "no dnsmasq here";
  start();
  start_router();
  const auto found = examine();
  expect_golden("doctor/clean.txt", findings_text(found));
  expect_golden("doctor/clean.json", findings_json(found, 2) + "\n");
  const auto [status, text] = program("doctor");
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text, findings_text(found));
}

TEST_F(DoctorAtAnAgent, SaysWhatIsWrongWithAStatusForScripts) {
  if (!std::filesystem::exists("/usr/sbin/dnsmasq")) GTEST_SKIP() << "no dnsmasq here";
  content_.loaders.erase("undionly.kpxe");
  start();
  start_router({"--dhcp-option-force=60,PXEClient", "--dhcp-boot=pxelinux.0"});
  const auto [status, json] = program("doctor -o json");
  EXPECT_EQ(status, 1);
  expect_golden("doctor/wrong.json", json);
  const auto found = findings_from_json(json);
  ASSERT_TRUE(found) << found.error().what;
  expect_golden("doctor/wrong.txt", findings_text(*found));
}

TEST_F(DoctorAtAnAgent, LeavesOthersTheirTurnMeanwhile) {
  start();
  const auto lan = bystander();
  auto slow = std::async(std::launch::async, [&] { return examine(); });
  ASSERT_TRUE(lan->receive());
  // Answered while the examination waits for its LAN, which has four seconds.
  const auto lines = snippet_at_agent(config_.control_socket(), "dnsmasq");
  EXPECT_EQ(slow.wait_for(Seconds(0)), std::future_status::timeout);
  ASSERT_TRUE(lines) << lines.error().what;
  EXPECT_THAT(*lines, HasSubstr("tag:farboot-x64,snponly.efi,10.77.0.2,10.77.0.2\n"));
  EXPECT_THAT(findings_text(slow.get()), HasSubstr("[dhcp.none]"));
}

TEST_F(DoctorAtAnAgent, StopsInTheMiddle) {
  start();
  const auto lan = bystander();
  auto slow =
      std::async(std::launch::async, [&] { return examine_at_agent(config_.control_socket()); });
  ASSERT_TRUE(lan->receive());
  stop();
  EXPECT_FALSE(slow.get());
}

TEST_F(DoctorAtAnAgent, PrintsLinesForTheSitesDhcpServer) {
  content_.loaders = {{"undionly.kpxe", sample_bytes(100, 1)}};
  start();
  const auto [status, text] = program("doctor --snippet dnsmasq");
  EXPECT_EQ(status, 0);
  EXPECT_THAT(text, HasSubstr("tag:farboot-bios,undionly.kpxe,10.77.0.2,10.77.0.2\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("snponly")));
  stop();
  const auto [without, usual] = program("doctor --snippet dnsmasq 2>/dev/null");
  EXPECT_EQ(without, 0);
  EXPECT_THAT(usual, HasSubstr("tag:farboot-x64,snponly.efi,10.77.0.2,10.77.0.2\n"));
  EXPECT_NE(program("doctor --snippet windows 2>/dev/null").first, 0);
  EXPECT_EQ(program("doctor 2>/dev/null").first, 1) << "no agent, no findings";
}

TEST_F(DoctorAtAnAgent, SaysThatNothingIsActive) {
  start();
  stop();
  std::filesystem::remove_all(config_.state_dir);
  auto agent = Agent::open(config_);
  ASSERT_TRUE(agent) << agent.error().what;
  agent_ = std::move(*agent);
  thread_ = std::thread([this] { agent_->run(); });
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(config_.control_socket()); }));
  EXPECT_THAT(findings_text(examine()), HasSubstr("[release.none]"));
}

}  // namespace
}  // namespace farboot::doctor
