#include "controller/fleet/site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/fleet/fleet_diff.h"
#include "controller/fleet/text_diff.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

HostWish host(std::string name, std::string mac, bool install = false) {
  HostWish wish;
  wish.host.name = std::move(name);
  wish.host.macs = {std::move(mac)};
  wish.host.entry = "c7";
  wish.install = install;
  return wish;
}

SiteWish site(std::vector<HostWish> hosts) {
  SiteWish wish;
  wish.name = "lyon";
  wish.hosts = std::move(hosts);
  return wish;
}

TEST(Site, NormalisesMacsUuidsAndOrder) {
  SiteWish wish = site({host("web2", "52-54-00-AA-BB-02"), host("web1", "5254.00aa.bb01")});
  wish.hosts[0].host.uuid = "4C4C4544-0051-3510-8052-B4C04F4D3432";
  ASSERT_TRUE(normalise_site(wish));
  EXPECT_EQ(wish.hosts[0].host.name, "web1");
  EXPECT_EQ(wish.hosts[0].host.macs[0], "52:54:00:aa:bb:01");
  EXPECT_EQ(wish.hosts[1].host.uuid, "4c4c4544-0051-3510-8052-b4c04f4d3432");
}

TEST(Site, RefusesWhatCannotBe) {
  SiteWish twice = site({host("web1", "52:54:00:00:00:01"), host("web2", "52:54:00:00:00:01")});
  const auto mac = normalise_site(twice);
  ASSERT_FALSE(mac);
  EXPECT_THAT(mac.error().what, HasSubstr("mac:52:54:00:00:00:01 is host web1's already"));
  SiteWish unnamed = site({host("Web 1", "52:54:00:00:00:01")});
  EXPECT_FALSE(normalise_site(unnamed));
  SiteWish unknown = site({host("web1", "52:54")});
  EXPECT_FALSE(normalise_site(unknown));
  HostSpec nothing;
  nothing.name = "web1";
  EXPECT_THAT(normalise_host(nothing).error().what, HasSubstr("no mac, uuid or serial"));
  HostSpec odd;
  odd.name = "web1";
  odd.uuid = "1234";
  EXPECT_FALSE(normalise_host(odd));
}

TEST(Site, RefusesWhatNoAgentCouldRead) {
  const auto refusal = [](const auto& change) {
    SiteWish wish = site({host("web1", "52:54:00:00:00:01")});
    change(wish);
    const auto good = normalise_site(wish);
    return good ? std::string("accepted") : good.error().what;
  };
  EXPECT_THAT(refusal([](SiteWish& wish) { wish.hosts[0].host.serial = "ABC\n"; }),
              HasSubstr("host web1: serial ABC\\x0a: control characters"));
  EXPECT_THAT(refusal([](SiteWish& wish) { wish.hosts[0].host.variables["a\tb"] = "1"; }),
              HasSubstr("not a name"));
  EXPECT_THAT(refusal([](SiteWish& wish) { wish.variables["motd"] = std::string("a\0b", 3); }),
              HasSubstr("variable motd: a NUL character"));
  EXPECT_THAT(refusal([](SiteWish& wish) { wish.limits.installs_at_once_max = 100'001; }),
              HasSubstr("installs_at_once_max 100001: at most 100000"));
}

TEST(Site, OrdersTheFirstInstallOnce) {
  const Site first = merge_site({}, site({host("web1", "52:54:00:00:00:01", true)}));
  EXPECT_EQ(first.hosts[0].install_order, 1u);
  const Site again = merge_site(first, site({host("web1", "52:54:00:00:00:01", true)}));
  EXPECT_EQ(again.hosts[0].install_order, 1u);
  const Site later = merge_site(merge_site({}, site({host("web1", "52:54:00:00:00:01")})),
                                site({host("web1", "52:54:00:00:00:01", true)}));
  EXPECT_EQ(later.hosts[0].install_order, 1u) << "never ordered before";
}

TEST(Site, DoesNotInstallAMachineAgainBecauseItsFileChanged) {
  Site before = merge_site({}, site({host("web1", "52:54:00:00:00:01", true)}));
  before.hosts[0].install_order = 3;
  remember_orders(before);
  const Site gone = merge_site(before, site({}));
  EXPECT_TRUE(gone.hosts.empty());
  const Site back = merge_site(gone, site({host("web1", "52:54:00:00:00:01", true)}));
  EXPECT_EQ(back.hosts[0].install_order, 3u) << "removed and put back";
  const Site renamed = merge_site(before, site({host("www", "52:54:00:00:00:01", true)}));
  EXPECT_EQ(renamed.hosts[0].install_order, 0u) << "the same machine under a new name";
}

TEST(Site, SurvivesTheDisk) {
  SiteWish wish = site({host("web1", "52:54:00:00:00:01", true)});
  wish.labels = {{"tier", "canary"}};
  wish.variables = {{"gateway", "10.0.0.1"}};
  wish.limits = {1'000'000, 4};
  wish.hosts[0].host.variables = {{"ip", "10.0.0.9"}};
  const Site made = merge_site({}, wish);
  const auto read = decode_site("lyon", encode_site(made));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, made);
  EXPECT_FALSE(decode_site("lyon", "not json"));
  EXPECT_FALSE(decode_site("lyon", R"({"format": 99})"));
}

TEST(TextDiff, ShowsWhatChangedWithContext) {
  EXPECT_EQ(text_diff("a\n", "a\n"), "");
  EXPECT_EQ(text_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nFIVE\n6\n7\n8\n9\n"),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+FIVE\n 6\n 7\n 8\n");
  EXPECT_EQ(text_diff("", "new\n"), "@@ -0,0 +1,1 @@\n+new\n");
  EXPECT_EQ(text_diff("x\n", "x"), "@@ -1,1 +1,2 @@\n x\n+\\ no newline at the end\n");
}

TEST(TextDiff, MakesTwoHunksOfChangesFarApart) {
  std::string before, after;
  for (int i = 0; i < 30; ++i) {
    before += fmt::format("line {}\n", i);
    after += i == 3 ? "three\n" : i == 25 ? "" : fmt::format("line {}\n", i);
  }
  const std::string diff = text_diff(before, after);
  EXPECT_THAT(diff, HasSubstr("@@ -1,7 +1,7 @@"));
  EXPECT_THAT(diff, HasSubstr("@@ -23,7 +23,6 @@"));
  EXPECT_THAT(diff, HasSubstr("-line 25\n"));
}

TEST(TextDiff, GivesUpOnTextsThatAreTooLong) {
  std::string before, after;
  for (std::size_t i = 0; i < kDiffLinesMax; ++i) {
    before += fmt::format("a{}\n", i);
    after += fmt::format("b{}\n", i);
  }
  EXPECT_EQ(text_diff(before, after), "");
}

TEST(FleetDiff, NamesWhatIsNewChangedAndGone) {
  const Items before{{{"entry", "a"}, "x\n"}, {{"entry", "b"}, "x\n"}, {{"host", "h"}, "x\n"}};
  const Items after{{{"entry", "b"}, "y\n"}, {{"entry", "c"}, "x\n"}, {{"host", "h"}, "x\n"}};
  const auto changes = compare(before, after);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0], (Change{Change::Kind::removed, "entry", "a", ""}));
  EXPECT_EQ(changes[1], (Change{Change::Kind::changed, "entry", "b", "@@ -1,1 +1,1 @@\n-x\n+y\n"}));
  EXPECT_EQ(changes[2], (Change{Change::Kind::added, "entry", "c", ""}));
}

}  // namespace
}  // namespace farboot
