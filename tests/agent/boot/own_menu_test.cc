// Menus that operators write themselves, and how one leads to the next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/agent/boot/boot_service_fixture.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class OwnMenu : public BootServiceTest {
 protected:
  void activate(std::string start, std::string tools) {
    Release release = testing::centos_release(7, bench->put_tree(10));
    release.menu.template_name = "start";
    release.menus = {{"start", std::move(start)}, {"tools", std::move(tools)}};
    bench->activate(release);
  }
  Result<std::string> menu(const std::string& name, MachineFacts facts = stranger()) {
    return boot->menu_script(std::move(facts), name, kServer);
  }
  static MachineFacts stranger() {
    MachineFacts facts = machine("52:54:00:00:00:99");
    facts.product = "a b\nshell";
    return facts;
  }
};

TEST_F(OwnMenu, LeadsToTheNextWithWhatTheMachineSaid) {
  activate("chain {{menu.url}}tools ||\n", "chain {{entry.url}}centos7 ||\n");
  const std::string start = script(stranger());
  EXPECT_THAT(start, HasSubstr("chain http://10.4.0.2/boot/52-54-00-00-00-99.ipxe?uuid="));
  EXPECT_THAT(start, HasSubstr("&product=a%20bshell&menu=tools ||\n"));
  EXPECT_EQ(std::count(start.begin(), start.end(), '\n'), 2) << start;
  const auto tools = menu("tools");
  ASSERT_TRUE(tools);
  EXPECT_THAT(*tools, HasSubstr("#!ipxe\nchain http://10.4.0.2/boot/52-54-00-00-00-99.ipxe?"));
  EXPECT_THAT(*tools, HasSubstr("&product=a%20bshell&entry=centos7 ||\n"));
}

TEST_F(OwnMenu, IsThereByName) {
  apply({});
  activate("shell\n", "#!ipxe\n# {{site.name}} {{host.mac}} r{{release.number}}\n");
  EXPECT_EQ(menu("tools").value(), "#!ipxe\n# lyon 52:54:00:00:00:99 r7\n");
  EXPECT_EQ(menu("start").value(), "#!ipxe\nshell\n");
  for (const char* name : {"", "none", "../start", "centos7"})
    EXPECT_EQ(menu(name).error().code, Errc::not_found) << name;
}

TEST_F(OwnMenu, SaysWhatDoesNotRender) {
  activate("shell\n", "item {{nobody.knows}}\n");
  const auto script = menu("tools");
  ASSERT_TRUE(script);
  EXPECT_THAT(*script, HasSubstr("nobody.knows"));
  EXPECT_THAT(*script, HasSubstr("Press S for a shell, or wait for the local disk"));
}

/// Looking at a menu takes no order up.
TEST_F(OwnMenu, BeginsNothing) {
  activate("shell\n", "shell\n");
  apply({web1()});
  ASSERT_TRUE(menu("tools", machine()));
  EXPECT_EQ(bench->book->look({.mac = machine().mac}).install.phase, InstallPhase::armed);
  EXPECT_TRUE(installs_now(script()));
}

TEST_F(OwnMenu, IsNotThereBeforeARelease) {
  const StillClock clock = bench->clock;
  boot.reset();
  bench = std::make_unique<SiteBench>(testing::Card{}, clock);
  start();
  EXPECT_EQ(menu("tools").error().code, Errc::unavailable);
}

}  // namespace
}  // namespace farboot
