#include "agent/boot/boot_service.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <set>

#include "common/store/database.h"
#include "common/store/rocks_state.h"
#include "tests/agent/boot/boot_service_fixture.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

TEST_F(BootServiceTest, InstallsAnArmedHostOnceThenBootsItsDisk) {
  apply({web1()});
  const std::string first = script();
  ASSERT_TRUE(installs_now(first)) << first;
  expect_golden("ipxe/install_centos7.ipxe", masked(first));
  const std::string token = token_in(first);
  auto text = kickstart(token, {"52:54:00:00:00:01"});
  ASSERT_TRUE(text) << text.error().what;
  expect_golden("ks/centos7.ks", masked(*text));
  fetch(token, "Packages/p001.rpm");
  ASSERT_TRUE(event(token, "installed", "abc"));
  for (int boots = 0; boots < 3; ++boots) {
    const std::string later = script();
    EXPECT_FALSE(installs_now(later));
    EXPECT_TRUE(later.ends_with("\nexit 1\n")) << later;
  }
  EXPECT_EQ(bench->book->hosts().front().phase, InstallPhase::done);
  EXPECT_EQ(kickstart(token).error().code, Errc::not_found) << "its attempt is over";
}

/// An operator renames a variable in the site and in the kickstart: until the rollout is there, the
/// site serves the old kickstart.
TEST_F(BootServiceTest, GivesAHostThatAnotherAgentInstallsItsDisk) {
  DesiredState desired = lyon({web1()});
  desired.orders_agent = "pi2";
  ASSERT_TRUE(bench->run(bench->book->apply(desired, "pi1")));
  const std::string own = script();
  EXPECT_FALSE(installs_now(own));
  EXPECT_TRUE(own.ends_with("\nexit 1\n")) << own;
  const auto chosen = choose("centos7", machine());
  ASSERT_TRUE(chosen);
  EXPECT_FALSE(installs_now(*chosen));
}

TEST_F(BootServiceTest, WritesTheLegacyStyleAsTheOldGuidesDo) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.entries[0].args_style = "legacy";
  bench->activate(release);
  apply({web1()});
  expect_golden("ipxe/install_legacy.ipxe", masked(script()));
}

TEST_F(BootServiceTest, GivesTheUnknownTheMenuAndInstallsWhatTheyChoose) {
  const MachineFacts stranger = machine("52:54:00:00:00:99");
  const std::string menu = script(stranger);
  expect_golden("ipxe/menu_served.ipxe", menu);
  auto chosen = choose("centos7", stranger);
  ASSERT_TRUE(chosen);
  EXPECT_TRUE(installs_now(*chosen));
  const std::string token = token_in(*chosen);
  ASSERT_TRUE(kickstart(token, {"52:54:00:00:00:99"}));
  EXPECT_FALSE(installs_now(script(stranger))) << "back from its install: its disk";
  const std::string later = script(stranger);
  EXPECT_NE(later.find("choose --default local "), std::string::npos)
      << "the timer must not install again";
  auto once_more = choose("centos7", stranger);
  ASSERT_TRUE(once_more);
  EXPECT_FALSE(installs_now(*once_more)) << "asks first";
  std::smatch url;
  ASSERT_TRUE(std::regex_search(*once_more, url, std::regex("entry=(centos7~again)")));
  auto confirmed = choose(url[1], stranger);
  ASSERT_TRUE(confirmed);
  EXPECT_TRUE(installs_now(*confirmed));
  EXPECT_NE(token_in(*confirmed), token);
  EXPECT_EQ(choose("nothing", stranger).error().code, Errc::not_found);
}

TEST_F(BootServiceTest, RepeatsAnAttemptThatDidNotReachTheDisk) {
  apply({web1()});
  const std::string token = token_in(script());
  for (int boots = 1; boots < 5; ++boots) EXPECT_EQ(token_in(script()), token) << boots;
  const std::string given_up = script();
  EXPECT_FALSE(installs_now(given_up));
  EXPECT_EQ(bench->book->hosts().front().phase, InstallPhase::failed);
  EXPECT_FALSE(installs_now(script()));
}

TEST_F(BootServiceTest, FinishesUnderTheReleaseItBeganWith) {
  apply({web1()});
  const std::string token = token_in(script());
  Release next = testing::centos_release(7, bench->put_tree(20));
  next.kickstarts["base"] = "other {{image.url}}\n";
  next.variables["timezone"] = "Mars";
  bench->activate(next);
  next.number = 8;
  bench->activate(next);
  restart();
  apply({web1()});
  EXPECT_EQ(token_in(script()), token) << "the same attempt, of the same release";
  auto text = kickstart(token);
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_NE(text->find("timezone Asia/Shanghai"), std::string::npos) << *text;
  const Digest tree = bench->book->attempt(token).attempt->manifest;
  EXPECT_NE(text->find(tree.hex()), std::string::npos);
  EXPECT_TRUE(bench->catalog.find_tree(tree, "Packages/p001.rpm").entry);
}

TEST_F(BootServiceTest, BindsAKickstartToItsMachine) {
  HostSpec two_cards = web1();
  two_cards.macs.push_back("52:54:00:00:00:02");
  apply({two_cards});
  const std::string token = token_in(script());
  EXPECT_EQ(kickstart(token, {"52:54:00:00:00:66", "52:54:00:00:00:67"}).error().code,
            Errc::denied);
  EXPECT_EQ(bench->book->look({"52:54:00:00:00:01", "", ""}).install.phase, InstallPhase::started)
      << "nothing was served";
  EXPECT_TRUE(kickstart(token, {"52:54:00:00:00:66", "52:54:00:00:00:02"}))
      << "never by the first header alone";
  EXPECT_TRUE(kickstart(token)) << "once per card, and old installers send no header";
  for (const char* unknown : {"", "0123", "../x", "0123456789abcdef0123456789abcdef"})
    EXPECT_EQ(kickstart(unknown).error().code, Errc::not_found) << unknown;
}

TEST_F(BootServiceTest, ServesUbuntusSeedBehindTheToken) {
  apply({web1()});
  const std::string token = token_in(script());
  EXPECT_EQ(kickstart(token + "/user-data").value(), kickstart(token).value());
  EXPECT_TRUE(kickstart(token + "/meta-data").value().starts_with("instance-id: "));
  EXPECT_EQ(kickstart(token + "/vendor-data").value(), "");
  EXPECT_EQ(kickstart(token + "/other").error().code, Errc::not_found);
}

TEST_F(BootServiceTest, SpeaksTheAddressTheClientReachedItBy) {
  apply({web1()});
  const std::string token = token_in(script());
  auto text = kickstart(token, {}, "http://192.0.2.7:8080");
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("url --url=\"http://192.0.2.7:8080/t/"), std::string::npos);
  EXPECT_NE(text->find("http://192.0.2.7:8080/v1/event/" + token), std::string::npos);
}

TEST_F(BootServiceTest, WaitsWhileNothingIsActive) {
  bench = std::make_unique<SiteBench>();
  start();
  EXPECT_NE(script().find("no release is active yet"), std::string::npos);
  EXPECT_EQ(choose("centos7", machine()).error().code, Errc::unavailable);
  apply({web1()});
  const std::string waits = script();
  EXPECT_NE(waits.find("an install is ordered"), std::string::npos);
  EXPECT_EQ(waits.find("farboot-waited"), std::string::npos) << "as long as it takes";
  bench->activate(6);
  EXPECT_TRUE(installs_now(script()));
}

TEST_F(BootServiceTest, HandsOutNoInstallItCannotRecord) {
  apply({web1()});
  bench->state.full = true;
  const std::string refused = script();
  EXPECT_FALSE(installs_now(refused));
  EXPECT_NE(refused.find("chain --replace"), std::string::npos) << "asks again";
  bench->state.full = false;
  EXPECT_TRUE(installs_now(script()));
}

TEST_F(BootServiceTest, UsesTheOperatorsOwnMenu) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.menu.template_name = "own";
  release.menus["own"] = "#!ipxe\r\nset a {{server.url}}/{{host.mac}} ${net0/ip}\r\n{{> unused}}";
  bench->activate(release);
  const MachineFacts stranger = machine("52:54:00:00:00:99");
  EXPECT_EQ(script(stranger),
            "#!ipxe\r\nset a http://10.4.0.2/52:54:00:00:00:99 ${net0/ip}\r\nnothing\n");
  release.number = 8;
  release.menus["own"] = "menu {{nobody.knows}}\n";
  bench->activate(release);
  EXPECT_NE(script(stranger).find("\nmenu "), std::string::npos)
      << "a menu that does not render is no reason to show none";
}

TEST_F(BootServiceTest, HidesEntriesOfOtherArchitectures) {
  MachineFacts arm = machine("52:54:00:00:00:99");
  arm.buildarch = "arm64";
  const std::string menu = script(arm);
  EXPECT_EQ(menu.find("item centos7"), std::string::npos);
  EXPECT_NE(menu.find("choose --default local --timeout"), std::string::npos)
      << "the default is hidden: nothing takes its place";
  EXPECT_NE(menu.find("item shell"), std::string::npos);
}

TEST_F(BootServiceTest, BootsTheDiskAsSiteAndHostChoose) {
  HostSpec host = web1(0);
  DesiredState desired = lyon({host});
  desired.variables["local_boot"] = "exit";
  ASSERT_TRUE(bench->run(bench->book->apply(desired)));
  EXPECT_TRUE(script().ends_with("\nexit\n"));
  EXPECT_TRUE(boot->first_script(kServer).ends_with("\nexit\n")) << "if nobody answers";
  desired.hosts[0].variables["local_boot"] = "sanboot 0x81";
  ASSERT_TRUE(bench->run(bench->book->apply(desired)));
  EXPECT_TRUE(script().ends_with("--drive 0x81 || exit\n"));
  desired.hosts[0].variables["local_boot"] = "nonsense || shell";
  ASSERT_TRUE(bench->run(bench->book->apply(desired)));
  EXPECT_TRUE(script().ends_with("\nexit 1\n")) << "the default rather than nonsense";
}

TEST_F(BootServiceTest, LoadsWindowsByWimboot) {
  activate_winpe();
  auto chosen = choose("winpe", machine("52:54:00:00:00:99"));
  ASSERT_TRUE(chosen);
  expect_golden("ipxe/winpe.ipxe", masked(*chosen));
}

TEST_F(BootServiceTest, SaysWhatIsWrongWithAnEntry) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.entries[0].args = "{{nobody.knows}}";
  bench->activate(release);
  auto chosen = choose("centos7", machine("52:54:00:00:00:99"));
  ASSERT_TRUE(chosen);
  EXPECT_NE(chosen->find("line 1: 'nobody.knows' is not defined"), std::string::npos) << *chosen;
}

TEST_F(BootServiceTest, AdmitsOnlySoManyAtOnce) {
  HostSpec second = web1();
  second.name = "web2";
  second.macs = {"52:54:00:00:00:02"};
  DesiredState desired = lyon({web1(), second});
  desired.limits.installs_at_once_max = 1;
  ASSERT_TRUE(bench->run(bench->book->apply(desired)));
  const std::string token = token_in(script());
  const MachineFacts other = machine("52:54:00:00:00:02", "10.4.0.32");
  EXPECT_NE(script(other).find("1 installs are under way"), std::string::npos);
  EXPECT_NE(choose("centos7", machine("52:54:00:00:00:99")).value().find("&entry=centos7"),
            std::string::npos)
      << "asks for the same entry again";
  EXPECT_EQ(token_in(script()), token) << "one that has begun goes on";
  ASSERT_TRUE(event(token, "installed"));
  EXPECT_TRUE(installs_now(script(other)));
}

TEST_F(BootServiceTest, KeepsNotesAndRefusesStrangersEvents) {
  apply({web1()});
  const std::string token = token_in(script());
  ASSERT_TRUE(event(token, "progress", "partitioned"));
  EXPECT_EQ(bench->book->hosts().front().detail, "progress: partitioned");
  EXPECT_EQ(bench->book->hosts().front().phase, InstallPhase::started);
  EXPECT_EQ(event("0123456789abcdef0123456789abcdef", "installed").error().code, Errc::not_found);
  ASSERT_TRUE(event(token, "failed", "no disk"));
  EXPECT_EQ(bench->book->hosts().front().phase, InstallPhase::failed);
  EXPECT_EQ(bench->book->hosts().front().detail, "no disk");
}

TEST_F(BootServiceTest, GoesOnFromADatabaseOnDisk) {
  TempFolder folder;
  const auto content = bench->card.content;
  StillClock clock;
  std::string token;
  for (int life = 0; life < 3; ++life) {
    auto database = Database::open((folder / "db").string());
    ASSERT_TRUE(database) << database.error().what;
    auto state = RocksState::open(**database);
    ASSERT_TRUE(state);
    boot.reset();
    bench = std::make_unique<SiteBench>(testing::Card{std::move(*state), content}, clock);
    start();
    if (life == 0) bench->activate(6);
    apply({web1()});
    const std::string given = script();
    if (life == 0) {
      token = token_in(given);
      ASSERT_TRUE(kickstart(token));
    } else {
      EXPECT_FALSE(installs_now(given)) << "its disk may be touched";
      EXPECT_EQ(bench->book->hosts().front().phase, InstallPhase::failed);
      EXPECT_EQ(bench->book->hosts().front().detail, "came back before it reported");
    }
    bench->settle();
    boot.reset();
    bench.reset();
  }
}

// A site under any order of boots, choices, fetches, events, orders, activations, full disks and
// restarts: installs only by order or choice, once each, under the release it began with; and when
// nothing more happens it all ends.
TEST_F(BootServiceTest, HoldsItsPromisesInAnyOrderOfEvents) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    bench = std::make_unique<SiteBench>();
    start();
    std::vector<HostSpec> hosts = {web1(0)};
    const MachineFacts known = machine(), stranger = machine("52:54:00:00:00:99", "10.4.0.99");
    std::uint64_t release = 0, orders = 0, choices = 0;
    std::set<std::string> known_tokens, stranger_tokens, touched;
    std::string last;
    std::map<std::string, std::uint64_t> began;
    const auto look_at = [&](const std::string& text, std::set<std::string>& tokens) {
      ASSERT_TRUE(text.starts_with("#!ipxe\n"));
      if (!installs_now(text)) return;
      last = token_in(text);
      ASSERT_TRUE(is_token(last)) << text;
      ASSERT_FALSE(touched.contains(last)) << "its disk may hold something";
      tokens.insert(last);
      const auto attempt = bench->book->attempt(last).attempt;
      ASSERT_TRUE(attempt);
      const auto first = began.emplace(last, attempt->part.number).first;
      ASSERT_EQ(first->second, attempt->part.number);
    };
    for (int step = 0; step < 100; ++step) {
      switch (random() % 14) {
        case 0: hosts[0].install_order = ++orders; [[fallthrough]];
        case 1: static_cast<void>(bench->run(bench->book->apply(lyon(hosts)))); break;
        case 2:
          if (!bench->state.full) bench->activate(++release, 4 + static_cast<int>(random() % 4));
          break;
        case 3:
        case 4: look_at(script(known), known_tokens); break;
        case 5: look_at(script(stranger), stranger_tokens); break;
        case 6: {
          ++choices;
          auto text = choose(random() % 2 == 0 ? "centos7" : "quiet~again", stranger);
          if (text) look_at(*text, stranger_tokens);
          break;
        }
        case 7:
        case 8: {
          const bool live = bench->book->attempt(last).attempt != nullptr;
          auto text = kickstart(last);
          ASSERT_FALSE(!live && text);
          ASSERT_TRUE(!live || bench->state.full || text) << text.error().what;
          if (text) touched.insert(last);
          break;
        }
        case 9:
          if (bench->book->attempt(last).attempt)
            for (const char* path : {"images/pxeboot/vmlinuz", "Packages/p001.rpm"})
              fetch(last, path);
          break;
        case 10:
          if (random() % 2 == 0) static_cast<void>(event(last, "installed"));
          break;
        case 11:
          bench->clock.pass(Seconds(random() % 20'000));
          bench->book->tick();
          break;
        case 12: bench->state.full = random() % 3 == 0; break;
        case 13: {
          const bool full = bench->state.full;
          restart();
          bench->state.full = full;
          break;
        }
      }
      ASSERT_LE(known_tokens.size(), orders);
      ASSERT_LE(stranger_tokens.size(), choices);
    }
    bench->state.full = false;
    bench->clock.pass(InstallLimits{}.attempt_life);
    bench->book->tick();
    bench->settle();
    for (const HostStatus& status : bench->book->hosts())
      EXPECT_TRUE(status.phase != InstallPhase::started &&
                  status.phase != InstallPhase::kickstart &&
                  status.phase != InstallPhase::packages);
    EXPECT_TRUE(bench->state.scan("catalog/pin/")->empty());
    EXPECT_TRUE(bench->state.scan("attempt/")->empty());
  }
}

}  // namespace
}  // namespace farboot
