#include "agent/host/host_book.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/agent/host/host_book_fixture.h"
#include "tests/support/logged.h"

namespace farboot {
namespace {

TEST_F(HostBookTest, ArmsAHostThatIsOrderedOnceOnly) {
  apply({web1()});
  EXPECT_EQ(phase(), InstallPhase::armed);
  apply({web1()});
  EXPECT_EQ(story(), "1 web1 armed\n");
  auto attempt = begin(kWeb1);
  ASSERT_TRUE(attempt);
  apply({web1()});
  EXPECT_EQ(phase(), InstallPhase::started);
  EXPECT_EQ(begin(kWeb1).error().code, Errc::conflict) << "one order, one start";
  EXPECT_EQ(story(), "1 web1 armed\n2 web1 started\n");
}

TEST_F(HostBookTest, WalksAnInstall) {
  const std::string token = begin_web1();
  EXPECT_TRUE(is_token(token));
  fetch("images/pxeboot/vmlinuz");
  fetch("images/pxeboot/initrd.img");
  EXPECT_EQ(book().hosts().front().detail, "kernel and initrd loaded");
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "10.4.0.32")));
  EXPECT_EQ(phase(), InstallPhase::kickstart);
  fetch("LiveOS/squashfs.img", "10.4.0.32");
  fetch("repodata/repomd.xml", "10.4.0.32");
  for (int round = 0; round < 2; ++round)  // a package that is fetched twice counts once
    for (int i = 0; i < 7; ++i) fetch(fmt::format("Packages/p{:03}.rpm", i), "10.4.0.32");
  EXPECT_EQ(phase(), InstallPhase::packages);
  EXPECT_EQ(book().hosts().front().percent, 70u);
  EXPECT_EQ(book().hosts().front().detail, "7 of 10 packages");
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "sum\nof it")));
  const HostStatus status = book().hosts().front();
  EXPECT_EQ(status.phase, InstallPhase::done);
  EXPECT_EQ(status.percent, 100u);
  EXPECT_EQ(status.detail, "sum\\x0aof it");
  EXPECT_EQ(status.release, 6u);
  EXPECT_EQ(story(),
            "1 web1 armed\n2 web1 started\n3 web1 kickstart\n4 web1 packages\n5 web1 done\n");
}

TEST_F(HostBookTest, IgnoresFetchesThatAreNotTheAttempts) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "10.4.0.31")));
  fetch("Packages/p001.rpm", "10.4.0.77");
  EXPECT_EQ(phase(), InstallPhase::kickstart);
  book().fetched("10.4.0.31", {});
  const Digest other = bench->put_tree(3);
  Release release = testing::centos_release(7, other);
  bench->activate(release);
  book().fetched("10.4.0.31", bench->catalog.find_tree(other, "Packages/p001.rpm"));
  EXPECT_EQ(phase(), InstallPhase::kickstart) << "another tree";
}

TEST_F(HostBookTest, RemembersEverythingOverARestart) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "10.4.0.31")));
  fetch("Packages/p001.rpm");
  bench->settle();
  const std::string before = story();
  restart(Seconds(60));
  EXPECT_EQ(phase(), InstallPhase::packages);
  EXPECT_EQ(story(), before);
  const HostView view = book().attempt(token);
  ASSERT_TRUE(view.attempt);
  EXPECT_TRUE(view.known) << "also before the desired state is applied again";
  EXPECT_EQ(view.spec.variables.at("role"), "web");
  EXPECT_EQ(view.attempt->part.kickstarts.count("base"), 1u);
  EXPECT_EQ(view.attempt->part.snippets.count("report"), 1u);
  EXPECT_EQ(view.attempt->part.snippets.count("unused"), 0u);
  apply({web1()});
  EXPECT_EQ(phase(), InstallPhase::packages) << "the order was taken";
  fetch("Packages/p002.rpm");
  EXPECT_EQ(book().look(kWeb1).install.packages, 2u) << "still known by its address";
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "")));
  restart();
  EXPECT_EQ(phase(), InstallPhase::done);
  apply({web1()});
  EXPECT_EQ(phase(), InstallPhase::done) << "and is not installed again";
}

TEST_F(HostBookTest, KeepsItsReleaseAndTreeThroughActivations) {
  const std::string token = begin_web1();
  const Digest tree = book().look(kWeb1).attempt->manifest;
  for (std::uint64_t number = 7; number < 10; ++number)
    bench->activate(number, static_cast<int>(number) * 2);
  EXPECT_TRUE(bench->catalog.find_tree(tree, "images/pxeboot/vmlinuz").entry);
  restart();
  EXPECT_TRUE(bench->catalog.find_tree(tree, "images/pxeboot/vmlinuz").entry)
      << "the pin was on the card before the script went out";
  EXPECT_EQ(book().attempt(token).attempt->part.number, 6u);
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "")));
  bench->clock.pass(HostSettings{}.pin_grace - Seconds(1));
  book().tick();
  EXPECT_TRUE(bench->catalog.find_tree(tree, ".treeinfo").entry) << "%post may go on";
  bench->clock.pass(Seconds(1));
  book().tick();
  EXPECT_FALSE(bench->catalog.find_tree(tree, ".treeinfo").entry);
  bench->settle();
  EXPECT_TRUE(bench->state.scan("catalog/pin/")->empty());
}

TEST_F(HostBookTest, StartsNothingThatCouldNotBeWritten) {
  apply({web1()});
  bench->state.full = true;
  auto attempt = begin(kWeb1);
  ASSERT_FALSE(attempt);
  EXPECT_EQ(attempt.error().code, Errc::unavailable);
  EXPECT_EQ(bench->run(book().again(kWeb1, "10.4.0.31")).error().code, Errc::unavailable);
  EXPECT_EQ(book().look(kWeb1).install.boots, 0u) << "no script went out";
  bench->state.full = false;
  auto again = bench->run(book().again(kWeb1, "10.4.0.31"));
  ASSERT_TRUE(again) << again.error().what;
  restart();
  EXPECT_TRUE(book().attempt((*again)->token).attempt) << "attempt and pin went with it";
  EXPECT_FALSE(bench->state.scan("catalog/pin/")->empty());
}

TEST_F(HostBookTest, ServesNoKickstartThatCouldNotBeWritten) {
  const std::string token = begin_web1();
  bench->state.full = true;
  EXPECT_EQ(bench->run(book().kickstart_served(token, "")).error().code, Errc::unavailable);
  EXPECT_EQ(bench->run(book().kickstart_served(token, "")).error().code, Errc::unavailable);
  bench->state.full = false;
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "")));
  restart();
  EXPECT_TRUE(book().look(kWeb1).install.touched);
}

TEST_F(HostBookTest, WritesLaterWhatAFullCardRefused) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "")));
  bench->state.full = true;
  EXPECT_FALSE(bench->run(book().report(token, HostBook::Report::installed, "")));
  bench->clock.pass(InstallLimits{}.attempt_life);
  book().tick();  // gives up token and pin: erased in memory only
  EXPECT_FALSE(bench->run(book().flush()));
  EXPECT_FALSE(bench->state.scan("attempt/")->empty());
  bench->state.full = false;
  bench->clock.pass(Seconds(30));
  book().tick();
  ASSERT_TRUE(bench->run(book().flush()));
  EXPECT_TRUE(bench->state.scan("attempt/")->empty());
  EXPECT_TRUE(bench->state.scan("catalog/pin/")->empty());
  const std::string told = story();
  restart();
  EXPECT_EQ(phase(), InstallPhase::done);
  EXPECT_EQ(story(), told);
}

TEST_F(HostBookTest, RepeatsAFewTimesThenGivesUp) {
  begin_web1();
  const InstallLimits limits;
  for (std::uint32_t boot = 1; boot < limits.boots_max; ++boot) {
    if (boot == 2) restart();
    ASSERT_TRUE(bench->run(book().again(kWeb1, "10.4.0.31"))) << boot;
  }
  EXPECT_EQ(bench->run(book().again(kWeb1, "")).error().code, Errc::conflict);
  ASSERT_TRUE(bench->run(book().came_back(kWeb1)));
  EXPECT_EQ(phase(), InstallPhase::failed);
  EXPECT_EQ(book().hosts().front().detail, "never got as far as its disk in 5 boots");
}

TEST_F(HostBookTest, ExpiresAttemptsAlsoWhileItWasOff) {
  const std::string token = begin_web1();
  restart(Seconds(23 * 3600));
  EXPECT_TRUE(book().attempt(token).attempt);
  bench->clock.pass(Seconds(3601));
  book().tick();
  EXPECT_EQ(phase(), InstallPhase::expired);
  EXPECT_FALSE(book().attempt(token).attempt);
  EXPECT_EQ(bench->run(book().report(token, HostBook::Report::installed, "")).error().code,
            Errc::not_found);
  bench->settle();
  EXPECT_TRUE(bench->state.scan("attempt/")->empty());
}

TEST_F(HostBookTest, FinishesAnInstallOfAHostThatIsGone) {
  const std::string token = begin_web1();
  apply({});
  EXPECT_EQ(phase(), InstallPhase::started);
  restart();
  apply({});
  EXPECT_EQ(book().attempt(token).spec.variables.at("role"), "web");
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "10.4.0.31")));
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "")));
  EXPECT_NE(story().find("web1 done"), std::string::npos);
  apply({});
  EXPECT_FALSE(book().look(kWeb1).known) << "a stranger now";
  apply({web1()});
  EXPECT_EQ(phase(), InstallPhase::done) << "back with the same order: not installed again";
}

TEST_F(HostBookTest, DisarmsAHostThatIsGone) {
  apply({web1()});
  apply({});
  apply({web1(1)});
  EXPECT_EQ(phase(), InstallPhase::idle) << "the order was withdrawn with it";
  apply({web1(2)});
  EXPECT_EQ(phase(), InstallPhase::armed);
}

TEST_F(HostBookTest, ForgetsANameThatMovesToAnotherMachine) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "")));
  apply({});
  HostSpec other = web1();
  other.macs = {"52:54:00:00:00:02"};
  apply({other});
  EXPECT_EQ(phase({"52:54:00:00:00:02", "", ""}), InstallPhase::armed);
}

TEST_F(HostBookTest, LetsStrangersInstallByTheMenuOnly) {
  EXPECT_EQ(begin(kStranger).error().code, Errc::conflict);
  EXPECT_TRUE(book().hosts().empty()) << "who only asks leaves no trace";
  auto attempt = begin(kStranger, true);
  ASSERT_TRUE(attempt);
  restart();
  EXPECT_EQ(phase(kStranger), InstallPhase::started);
  EXPECT_EQ(book().hosts().front().host, kStranger.mac);
  EXPECT_EQ(begin(kStranger, true, "nothing").error().code, Errc::not_found);
}

TEST_F(HostBookTest, CarriesAStrangersAttemptUnderItsNewName) {
  auto attempt = begin(kStranger, true);
  ASSERT_TRUE(attempt);
  HostSpec spec = web1(0);
  spec.macs = {kStranger.mac};
  apply({spec});
  restart();
  const HostView view = book().attempt((*attempt)->token);
  ASSERT_TRUE(view.attempt);
  EXPECT_EQ(view.spec.name, "web1");
  EXPECT_FALSE(*bench->state.get("host/" + kStranger.mac));
}

TEST_F(HostBookTest, KnowsAMachineByUuidAndSerialToo) {
  HostSpec by_uuid = web1();
  by_uuid.macs.clear();
  by_uuid.uuid = "4c4c4544-0051-3510-8052-b4c04f4d4e31";
  HostSpec by_serial = web1();
  by_serial.name = "web2";
  by_serial.macs.clear();
  by_serial.serial = "ABC 1/+";
  HostSpec by_filler = web1();
  by_filler.name = "web3";
  by_filler.macs = {"52:54:00:00:00:03"};
  by_filler.serial = "To be filled by O.E.M.";
  apply({by_uuid, by_serial, by_filler});
  const std::string mac = "52:54:00:00:00:55";
  EXPECT_EQ(book().look({mac, "4C4C4544-0051-3510-8052-B4C04F4D4E31", ""}).spec.name, "web1");
  EXPECT_EQ(book().look({mac, "", "ABC 1/+"}).spec.name, "web2");
  EXPECT_FALSE(book().look({mac, "", "To be filled by O.E.M."}).known);
  EXPECT_EQ(
      book().look({"52-54-00-00-00-03", "4c4c4544-0051-3510-8052-b4c04f4d4e31", ""}).spec.name,
      "web3")
      << "the card says it best";
}

TEST_F(HostBookTest, ArmsOnTheSpot) {
  HostSpec bare = web1(0);
  bare.name = "bare";
  bare.macs = {"52:54:00:00:00:07"};
  bare.entry.clear();
  apply({web1(0), bare});
  EXPECT_EQ(phase(), InstallPhase::idle);
  EXPECT_TRUE(bench->run(book().arm("web1")));
  EXPECT_EQ(phase(), InstallPhase::armed);
  restart();
  EXPECT_EQ(phase(), InstallPhase::armed);
  auto token = begin(kWeb1);
  ASSERT_TRUE(token);
  ASSERT_TRUE(bench->run(book().report((*token)->token, HostBook::Report::failed, "no disk")));
  EXPECT_TRUE(bench->run(book().arm("52-54-00-00-00-01")));
  EXPECT_EQ(phase(), InstallPhase::armed);
  EXPECT_EQ(bench->run(book().arm("bare")).error().code, Errc::invalid);
  EXPECT_EQ(bench->run(book().arm("nobody")).error().code, Errc::not_found);
}

TEST_F(HostBookTest, TellsOfAnOrderGivenMeanwhile) {
  const std::string token = begin_web1();
  apply({web1(2)});
  EXPECT_EQ(phase(), InstallPhase::started);
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::installed, "")));
  EXPECT_EQ(phase(), InstallPhase::armed);
  EXPECT_EQ(story(), "1 web1 armed\n2 web1 started\n3 web1 done\n4 web1 armed\n");
}

TEST_F(HostBookTest, GivesSequenceNumbersOnceAndDropsWhatIsAcknowledged) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().acknowledge(1)));
  EXPECT_EQ(story(), "2 web1 started\n");
  EXPECT_EQ(book().pending_events(0).size(), 0u);
  ASSERT_TRUE(bench->run(book().acknowledge(2)));
  restart();
  EXPECT_EQ(story(), "");
  ASSERT_TRUE(bench->run(book().report(token, HostBook::Report::failed, "x")));
  EXPECT_EQ(story(), "3 web1 failed\n");
  ASSERT_TRUE(bench->run(book().acknowledge(3)));
  restart();
  EXPECT_EQ(story(), "");
}

/// The card was lost, the identity was not: the controller knows 40 events of this agent.
/// A Pi without a clock chip: the network comes, and with it the right time, weeks later.
TEST_F(HostBookTest, CountsInstallsThatRunNow) {
  begin_web1();
  EXPECT_EQ(book().running().named, 1u);
  EXPECT_EQ(book().installs_at_once_max(), HostSettings{}.installs_at_once_max);
  bench->clock.pass(HostSettings{}.quiet_max + Seconds(1));
  EXPECT_EQ(book().running().all(), 0u) << "a machine that was switched off blocks nobody";
  DesiredState desired = lyon({web1()});
  desired.limits.installs_at_once_max = 2;
  ASSERT_TRUE(bench->run(book().apply(desired)));
  EXPECT_EQ(book().installs_at_once_max(), 2u);
}

TEST_F(HostBookTest, WritesNothingForEachFileFetched) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->run(book().kickstart_served(token, "10.4.0.31")));
  fetch("Packages/p000.rpm");
  bench->settle();
  const auto revision = [&] { return bench->state.get("host/web1")->value().revision; };
  const auto before = revision();
  for (int i = 0; i < 1000; ++i) fetch("Packages/p000.rpm");
  bench->settle();
  EXPECT_EQ(revision(), before);
}

TEST_F(HostBookTest, SurvivesRecordsThatRotted) {
  const std::string token = begin_web1();
  ASSERT_TRUE(bench->state.put("attempt/" + token, "{\"format\":1}"));
  ASSERT_TRUE(bench->state.put("host/web9", "not json"));
  ASSERT_TRUE(bench->state.put("outbox/00000000000000000001", "[]"));
  restart();
  EXPECT_EQ(phase(), InstallPhase::failed);
  EXPECT_EQ(book().hosts().front().detail, "its record was lost");
}

TEST_F(HostBookTest, MakesTokensNobodyCanGuess) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    auto token = make_token();
    ASSERT_TRUE(token);
    EXPECT_TRUE(is_token(*token));
    EXPECT_TRUE(seen.insert(*token).second);
  }
}

TEST_F(HostBookTest, CommitsARackInAFewWrites) {
  std::vector<HostSpec> rack;
  for (int i = 0; i < 200; ++i) {
    HostSpec spec = web1();
    spec.name = fmt::format("node{}", i);
    spec.macs = {fmt::format("52:54:00:00:01:{:02x}", i)};
    rack.push_back(spec);
  }
  apply(rack);
  const auto before = bench->state.put("marker", "a");
  std::vector<std::string> tokens;
  // No captures: the coroutine outlives the lambda.
  const auto one = [](SiteBench& site, std::string mac,
                      std::vector<std::string>& out) -> Task<void> {
    HostBook::Begin order{{mac, "", ""}, site.catalog.active(), "centos7", false, mac};
    auto attempt = co_await site.book->begin(std::move(order));
    EXPECT_TRUE(attempt);
    if (attempt) out.push_back((*attempt)->token);
  };
  for (const HostSpec& spec : rack)
    spawn(bench->loop, "test", one(*bench, spec.macs.front(), tokens));
  while (tokens.size() < rack.size()) bench->settle();
  const auto after = bench->state.put("marker", "b");
  EXPECT_LT(*after - *before, 40u) << "commits for 200 starts";
  EXPECT_EQ(bench->state.scan("attempt/")->size(), 200u);
}

TEST_F(HostBookTest, StepsOfInventedMachinesAreCountedAndHideNoneWithAName) {
  testing::Logged logged;
  for (int i = 0; i < 600; ++i) {
    const auto attempt = begin(kStranger, true);
    ASSERT_TRUE(attempt) << attempt.error().what;
    ASSERT_TRUE(bench->run(book().report((*attempt)->token, HostBook::Report::failed, "")));
  }
  EXPECT_EQ(testing::Logged::count(logged.take(), "host.phase"), 1000);
  begin_web1();
  EXPECT_NE(logged.take().find("event=host.phase host=web1"), std::string::npos);
}

}  // namespace
}  // namespace farboot
