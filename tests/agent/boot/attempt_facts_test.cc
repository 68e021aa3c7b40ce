// What an attempt is rendered with, and what counts as one.
#include <gtest/gtest.h>

#include "tests/agent/boot/boot_service_fixture.h"

namespace farboot {
namespace {

TEST_F(BootServiceTest, RendersAnAttemptWithTheVariablesItBeganWith) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.kickstarts["base"] = "search {{domain}} {{role}} {{host.name}}\n";
  bench->activate(release);
  apply({web1()});
  const std::string token = token_in(script());
  DesiredState later = lyon({web1()}, 2);
  later.variables = {{"search_domain", "lyon.test"}};
  later.hosts.front().variables = {{"purpose", "web"}};
  ASSERT_TRUE(bench->run(bench->book->apply(later)));
  EXPECT_EQ(token_in(script()), token) << "its script too, once more";
  restart();
  auto text = kickstart(token);
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_EQ(*text, "search lyon.test web web1\n");
}

TEST_F(BootServiceTest, RendersASitesVariablesBeforeTheLinkIsUp) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.kickstarts["base"] = "search {{domain}}\n";
  bench->activate(release);
  apply({web1()});
  restart();
  auto text = kickstart(token_in(script()));
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_EQ(*text, "search lyon.test\n");
}

TEST_F(BootServiceTest, InstallsOnceAlsoByAKickstartFromElsewhere) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.entries[0].args = "inst.ks=http://10.4.0.9/own.ks";
  bench->activate(release);
  apply({web1()});
  const std::string first = script();
  ASSERT_TRUE(installs_now(first));
  EXPECT_EQ(token_in(first), "");
  const auto attempt = bench->book->look({"52:54:00:00:00:01", "", ""}).attempt;
  ASSERT_TRUE(attempt);
  for (const char* path : {"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img",
                           "LiveOS/squashfs.img", "Packages/p001.rpm"})
    fetch(attempt->token, path);
  EXPECT_FALSE(installs_now(script())) << "back from its install";
  EXPECT_FALSE(installs_now(script()));
}

TEST_F(BootServiceTest, LetsInventedMachinesNotHoldUpAnOrderedOne) {
  DesiredState desired = lyon({web1()});
  desired.limits.installs_at_once_max = 2;
  ASSERT_TRUE(bench->run(bench->book->apply(desired)));
  int begun = 0;
  for (int i = 0; i < 20; ++i)
    begun += installs_now(*choose("centos7", machine(fmt::format("52:54:00:00:03:{:02x}", i),
                                                     fmt::format("10.4.0.{}", 100 + i))))
                 ? 1
                 : 0;
  EXPECT_EQ(begun, 1) << "half of what the site runs at once";
  EXPECT_TRUE(installs_now(script())) << "was ordered";
}

}  // namespace
}  // namespace farboot
