#include "controller/fleet/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "tests/support/fake_clock.h"

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ApplyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Image image;
    image.name = "centos7";
    image.tag = "1708";
    image.manifest = sha256(as_bytes("tree"));
    image.facts.kernel = "vmlinuz";
    ASSERT_TRUE(images_.add(image, "c7.iso", clock_.wall()));
  }
  FleetWish wish() {
    FleetWish out;
    out.menu.title = "Lyon";
    out.menu.entries = {"c7"};
    BootEntry entry;
    entry.name = "c7";
    entry.title = "CentOS 7";
    entry.image = "centos7";
    entry.kickstart = "base";
    entry.args_style = "inst";
    out.entries = {entry};
    out.kickstarts = {{"base", "text\nreboot\n"}};
    SiteWish site;
    site.name = "lyon";
    HostWish host;
    host.host.name = "web1";
    host.host.macs = {"52:54:00:00:00:01"};
    host.host.entry = "c7";
    host.install = true;
    site.hosts = {host};
    out.sites = {site};
    return out;
  }
  void add_asset(FleetWish& to, std::string path, std::string_view content) {
    const Digest id = sha256(as_bytes(content));
    to.assets.files.push_back({std::move(path),
                               0644,
                               content.size(),
                               id,
                               {{id, static_cast<std::uint32_t>(content.size())}}});
  }
  static std::vector<std::string> lines(const std::vector<Change>& changes) {
    std::vector<std::string> out;
    for (const Change& change : changes) {
      const char* const sign = change.kind == Change::Kind::added     ? "+"
                               : change.kind == Change::Kind::changed ? "~"
                                                                      : "-";
      out.push_back(sign + change.what + " " + change.name);
    }
    return out;
  }

  MemoryState state_;
  MemoryStore content_;
  FakeClock clock_;
  SigningKey key_ = SigningKey::generate();
  ImageBook images_{state_};
  ReleaseBook releases_{state_, key_};
  Fleet fleet_{state_, key_, clock_};
  Applier applier_{{state_, content_, images_, releases_, fleet_, clock_}};
};

TEST_F(ApplyTest, MakesAReleaseAndSites) {
  const auto applied = applier_.apply(wish(), {});
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_TRUE(applied->new_release);
  EXPECT_EQ(applied->release.release.number, 1u);
  EXPECT_EQ(applied->release.release.entries[0].image, "centos7@1708") << "resolved";
  EXPECT_EQ(applied->release.release.images.size(), 1u);
  EXPECT_EQ(fleet_.desired("lyon")->hosts[0].install_order, 1u);
  EXPECT_FALSE(fleet_.desired("lyon")->serve);
  EXPECT_THAT(lines(applied->diff.release),
              ElementsAre("+entry c7", "+image centos7@1708", "+kickstart base", "+menu "));
  EXPECT_THAT(lines(applied->diff.sites), ElementsAre("+host lyon/web1", "+site lyon"));
  ASSERT_EQ(applied->diff.notes.size(), 1u);
  EXPECT_THAT(applied->diff.notes[0], HasSubstr("loader import"));
}

TEST_F(ApplyTest, DoesNothingTwice) {
  ASSERT_TRUE(applier_.apply(wish(), {}));
  const auto before = state_.scan("");
  const auto again = applier_.apply(wish(), {});
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_FALSE(again->new_release);
  EXPECT_EQ(again->release.release.number, 1u);
  EXPECT_TRUE(again->diff.release.empty());
  EXPECT_TRUE(again->diff.sites.empty());
  EXPECT_EQ(*state_.scan(""), *before) << "not a byte is written";
}

TEST_F(ApplyTest, AChangedHostMakesNoRelease) {
  ASSERT_TRUE(applier_.apply(wish(), {}));
  FleetWish changed = wish();
  changed.sites[0].hosts[0].host.variables = {{"ip", "10.0.0.9"}};
  const auto applied = applier_.apply(changed, {});
  ASSERT_TRUE(applied);
  EXPECT_FALSE(applied->new_release);
  EXPECT_THAT(lines(applied->diff.sites), ElementsAre("~host lyon/web1"));
  EXPECT_EQ(fleet_.desired("lyon")->number, 2u) << "takes effect at once";
}

TEST_F(ApplyTest, AChangedTemplateMakesAReleaseThatNobodyServesYet) {
  ASSERT_TRUE(applier_.apply(wish(), {}));
  FleetWish changed = wish();
  changed.kickstarts["base"] = "text\npoweroff\n";
  const auto diff = applier_.diff(changed, {});
  ASSERT_TRUE(diff);
  EXPECT_EQ(diff->newest_release, 1u);
  ASSERT_EQ(diff->release.size(), 1u);
  EXPECT_THAT(diff->release[0].diff, HasSubstr("-reboot\n+poweroff\n"));
  EXPECT_EQ((*releases_.newest())->release.number, 1u) << "diff stores nothing";
  const auto applied = applier_.apply(changed, {});
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->release.release.number, 2u);
  EXPECT_EQ(fleet_.desired("lyon")->number, 1u);
}

TEST_F(ApplyTest, StoresNothingOfWhatIsWrong) {
  const auto before = state_.scan("");
  FleetWish unknown = wish();
  unknown.entries[0].image = "debian12";
  EXPECT_EQ(applier_.apply(unknown, {}).error().code, Errc::not_found);
  FleetWish nowhere = wish();
  nowhere.sites[0].hosts[0].host.entry = "c8";
  EXPECT_EQ(applier_.apply(nowhere, {}).error().code, Errc::invalid);
  FleetWish twice = wish();
  twice.sites.push_back(twice.sites[0]);
  twice.sites[1].name = "nice";
  const auto mac = applier_.apply(twice, {});
  ASSERT_FALSE(mac);
  EXPECT_THAT(mac.error().what, HasSubstr("lyon/web1's already"));
  FleetWish kickstart = wish();
  kickstart.entries[0].kickstart = "gone";
  EXPECT_FALSE(applier_.apply(kickstart, {}));
  EXPECT_EQ(*state_.scan(""), *before);
}

TEST_F(ApplyTest, WantsTheContentOfAssets) {
  FleetWish with = wish();
  add_asset(with, "bg.png", "picture");
  with.menu.picture = "bg.png";
  const auto missing = applier_.apply(with, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  ASSERT_TRUE(content_.put(sha256(as_bytes("picture")), as_bytes("picture")));
  const auto applied = applier_.apply(with, {});
  ASSERT_TRUE(applied) << applied.error().what;
  ASSERT_TRUE(applied->release.release.assets);
  EXPECT_EQ(get_manifest(content_, *applied->release.release.assets)->files[0].path, "bg.png");

  FleetWish other = wish();
  add_asset(other, "bg.png", "another");
  other.menu.picture = "bg.png";
  EXPECT_THAT(lines(applier_.diff(other, {})->release), ElementsAre("~asset bg.png"));
}

TEST_F(ApplyTest, TakesNoVariableAwayFromWhatIsServed) {
  FleetWish first = wish();
  first.kickstarts["base"] = "text\n{{> net}}\nreboot\n";
  first.snippets["net"] =
      "{{#host.serial}}# {{host.serial}}{{/host.serial}}\nnetwork --gw={{gw}}\n";
  first.sites[0].variables = {{"gw", "10.0.0.1"}};
  const auto applied = applier_.apply(first, {});
  ASSERT_TRUE(applied) << applied.error().what;
  Transaction transaction;
  ASSERT_TRUE(fleet_.order_releases(transaction, "lyon", {std::nullopt, applied->release.digest}));
  ASSERT_TRUE(state_.commit(transaction));

  FleetWish renamed = first;
  renamed.snippets["net"] = "network --gw={{gateway}}\n";
  renamed.sites[0].variables = {{"gateway", "10.0.0.1"}};
  const auto refused = applier_.apply(renamed, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().what,
              HasSubstr("sites/lyon.yaml: host web1: r1: kickstart base: line 2: partial net: line "
                        "2: 'gw' is not defined"));
  EXPECT_FALSE(applier_.diff(renamed, {})) << "and said before";
  renamed.sites[0].variables["gw"] = "10.0.0.1";
  EXPECT_TRUE(applier_.apply(renamed, {})) << "both names until it is rolled out";

  FleetWish more = first;
  more.kickstarts["base"] = "text\nreboot\n";
  more.sites[0].hosts.push_back(more.sites[0].hosts[0]);
  more.sites[0].hosts[1].host.name = "web2";
  more.sites[0].hosts[1].host.macs = {"52:54:00:00:00:02"};
  more.sites[0].variables = {{"gw", "10.0.0.1"}};
  EXPECT_TRUE(applier_.apply(more, {}));
}

TEST_F(ApplyTest, AMachineOfASiteThatComesBackGoesOnCounting) {
  ASSERT_TRUE(applier_.apply(wish(), {}));
  ASSERT_TRUE(fleet_.order_install("lyon", "web1"));
  FleetWish without = wish();
  without.sites.clear();
  ASSERT_TRUE(applier_.apply(without, {}));
  ASSERT_TRUE(applier_.apply(wish(), {}));
  EXPECT_EQ(fleet_.desired("lyon")->hosts[0].install_order, 2u);
  EXPECT_EQ(fleet_.order_install("lyon", "web1")->install_order, 3u);
}

TEST_F(ApplyTest, RemovesSitesOnlyIfNobodyIsThere) {
  ASSERT_TRUE(applier_.apply(wish(), {}));
  FleetWish without = wish();
  without.sites.clear();
  const auto refused = applier_.apply(without, {"lyon"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().what, HasSubstr("agent revoke"));
  const auto applied = applier_.apply(without, {});
  ASSERT_TRUE(applied);
  EXPECT_THAT(lines(applied->diff.sites), ElementsAre("-host lyon/web1", "-site lyon"));
  EXPECT_TRUE(fleet_.sites()->empty());
}

TEST_F(ApplyTest, NotesWhatCannotWorkAlthoughItHoldsTogether) {
  Image image;
  image.name = "jammy";
  image.tag = "22.04";
  image.manifest = sha256(as_bytes("another tree"));
  image.facts.family = "ubuntu";
  image.facts.kernel = "casper/vmlinuz";
  ASSERT_TRUE(images_.add(image, "jammy.iso", clock_.wall()));
  AgentReport report;
  report.agent = "lyon/pi1";
  report.site = "lyon";
  report.version = "0.1.0";
  fleet_.on_report(report);
  FleetWish with = wish();
  with.entries[0].image = "jammy";
  add_asset(with, "memtest.bin", "m");
  BootEntry memtest;
  memtest.name = "memtest";
  memtest.kind = EntryKind::tool;
  memtest.boot = {{"any", "assets/memtest.bin"}};
  with.entries.push_back(memtest);
  with.sites[0].hosts[0].host.variables["loader"] = "shim";
  const auto diff = applier_.diff(with, {});
  ASSERT_TRUE(diff) << diff.error().what;
  EXPECT_THAT(diff->notes, ElementsAre(HasSubstr("no boot loaders"), HasSubstr("jammy@22.04"),
                                       AllOf(HasSubstr("lyon/pi1"), HasSubstr("of host web1"))));
}

TEST_F(ApplyTest, LooksForFilesInTheirImage) {
  FleetWish with = wish();
  add_asset(with, "BOOT.img", "1");
  add_asset(with, "Boot.img", "2");
  Image image;
  image.name = "tools";
  image.tag = "1";
  image.manifest = *put_manifest(content_, std::exchange(with.assets, {}));
  ASSERT_TRUE(images_.add(image, "tools", clock_.wall()));
  BootEntry& tool = with.entries.emplace_back();
  tool.name = "tool";
  tool.kind = EntryKind::tool;
  tool.image = "tools";
  tool.boot = {{"any", "image/boot.img"}};
  EXPECT_EQ(applier_.diff(with, {}).error().what,
            "entry tool: boot: image/boot.img: is ambiguous, there are BOOT.img and Boot.img; keep "
            "one of them");
  with.entries.back().boot = {{"any", "image/Boot.img"}};
  EXPECT_TRUE(applier_.diff(with, {}));
}

TEST_F(ApplyTest, NewLoadersAreANewRelease) {
  ASSERT_TRUE(applier_.apply(wish(), {}));
  ASSERT_TRUE(images_.set_loaders({sha256(as_bytes("ipxe")), {}, {}, {}}));
  const auto applied = applier_.apply(wish(), {});
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->release.release.number, 2u);
  EXPECT_THAT(lines(applied->diff.release), ElementsAre("+loaders "));
}

TEST_F(ApplyTest, AnImageInUseCannotGoMeanwhile) {
  const auto seen = images_.find("centos7");
  ASSERT_TRUE(applier_.apply(wish(), {}));
  EXPECT_EQ(images_.remove(*seen).error().code, Errc::conflict);
}

}  // namespace
}  // namespace farboot
