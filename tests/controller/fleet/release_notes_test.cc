#include "controller/fleet/release_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

AgentStatus agent(std::string id, std::string version, std::vector<std::string> abilities) {
  AgentStatus out;
  out.report.site = id.substr(0, id.find('/'));
  out.report.agent = std::move(id);
  out.report.version = std::move(version);
  out.report.abilities = std::move(abilities);
  return out;
}

Release with_memtest() {
  BootEntry entry;
  entry.name = "memtest";
  entry.kind = EntryKind::tool;
  entry.boot = {{"bios", "assets/memtest.bin"}};
  Release release;
  release.entries = {entry};
  return release;
}

Site site_with_db1(std::string name, Variables variables = {}, Variables host = {}) {
  Site out;
  out.name = std::move(name);
  out.variables = std::move(variables);
  HostSpec& db1 = out.hosts.emplace_back();
  db1.name = "db1";
  db1.variables = std::move(host);
  return out;
}

TEST(ReleaseNotes, NameAgentsThatOverlookPartOfAnEntry) {
  const auto notes = release_notes(
      with_memtest(), {},
      {agent("lyon/pi1", "0.1.0", {}), agent("lyon/pi2", "0.1.0", {"more", kAbilityBootFiles}),
       agent("nice/pi1", "", {})});
  EXPECT_THAT(notes, ElementsAre(AllOf(StartsWith("site lyon: agent lyon/pi1 of version 0.1.0 "),
                                       HasSubstr("(memtest)"), HasSubstr("upgrade"))));
}

TEST(ReleaseNotes, NameAgentsThatKnowNoLinksBetweenMenus) {
  const std::vector<AgentStatus> agents = {agent("lyon/pi1", "0.1.0", {kAbilityBootFiles}),
                                           agent("lyon/pi2", "0.2.0", {kAbilityMenuLinks})};
  const auto of_lyon = ElementsAre(
      AllOf(StartsWith("site lyon: agent lyon/pi1 of version 0.1.0 "),
            HasSubstr("{{menu.url}} and {{entry.url}} (menu main; machines get the usual menu)")));
  Release release;
  release.menu.template_name = "main";
  for (const char* const link : {"chain {{menu.url}}tools\n", "chain {{entry.url}}rescue\n"}) {
    release.menus = {{"main", link}, {"tools", "#!ipxe\n"}};
    EXPECT_THAT(release_notes(release, {}, agents), of_lyon) << link;
  }
  release.menus["main"] = "{{> chain}}";
  release.snippets["chain"] = "chain {{menu.url}}tools";
  EXPECT_THAT(release_notes(release, {}, agents), ElementsAre(HasSubstr("(snippet chain;")));
  release.snippets["chain"] = "chain {{server.url}}/menu.url";
  EXPECT_THAT(release_notes(release, {}, agents), IsEmpty());
}

TEST(ReleaseNotes, NameAgentsThatKnowNoWordsForLoaders) {
  const std::vector<AgentStatus> agents = {
      agent("lyon/pi1", "0.1.0", {}), agent("lyon/pi2", "0.2.0", {kAbilityLoaderFamilies}),
      agent("nice/pi1", "0.1.0", {}), agent("gone/pi1", "0.1.0", {})};
  const auto notes = [&](const Variables& fleet, const Variables& lyon, const Variables& db1) {
    Release release;
    release.variables = fleet;
    return release_notes(release, {site_with_db1("lyon", lyon, db1), site_with_db1("nice")},
                         agents);
  };
  const auto of = [](std::string_view of_site, std::string_view whose) {
    return AllOf(
        StartsWith(fmt::format("site {}: agent {}/pi1 of version 0.1.0 ", of_site, of_site)),
        HasSubstr(fmt::format("loader ({})", whose)));
  };
  const Variables shim = {{"loader", "shim"}}, file = {{"loader", "ipxe.efi"}};
  EXPECT_THAT(notes({}, {}, {}), IsEmpty());
  EXPECT_THAT(notes(file, file, file), IsEmpty()) << "a file's name was always understood";
  EXPECT_THAT(notes({}, {}, shim), ElementsAre(of("lyon", "of host db1")));
  EXPECT_THAT(notes({}, {{"loader", "ipxe.efi arm64_uefi=grub"}}, {}),
              ElementsAre(of("lyon", "of the site")));
  EXPECT_THAT(notes(shim, {}, {}),
              ElementsAre(of("lyon", "of the fleet"), of("nice", "of the fleet")));
  EXPECT_THAT(notes(shim, file, {}), ElementsAre(of("nice", "of the fleet")));
}

TEST(ReleaseNotes, SayInOneLineWhatAnAgentOverlooks) {
  Release release = with_memtest();
  release.menu.template_name = "main";
  release.menus = {{"main", "chain {{menu.url}}tools"}};
  release.variables = {{"loader", "shim"}};
  EXPECT_THAT(release_notes(release, {site_with_db1("lyon")}, {agent("lyon/pi1", "0.1.0", {})}),
              ElementsAre(AllOf(HasSubstr("memtest"), HasSubstr("menu.url"), HasSubstr("shim"))));
}

TEST(ReleaseNotes, NameOnlySoManyAgents) {
  std::vector<AgentStatus> agents;
  for (int i = 0; i < 25; ++i) agents.push_back(agent(fmt::format("lyon/pi{}", i), "0.1.0", {}));
  const auto notes = release_notes(with_memtest(), {}, agents);
  ASSERT_EQ(notes.size(), 11U);
  EXPECT_THAT(notes[9], HasSubstr("lyon/pi9"));
  EXPECT_THAT(notes[10], StartsWith("15 more agents"));
}

TEST(ReleaseNotes, AreNoneWhereEveryAgentDoesWhatIsAsked) {
  Release release = with_memtest();
  EXPECT_THAT(release_notes(release, {}, {agent("lyon/pi1", "0.1.0", {kAbilityBootFiles})}),
              IsEmpty());
  release.entries[0].boot.clear();
  EXPECT_THAT(release_notes(release, {}, {agent("lyon/pi1", "0.1.0", {})}), IsEmpty());
  release.entries[0].files = {{"BCD", {{"any", "assets/BCD"}}}};
  EXPECT_EQ(release_notes(release, {}, {agent("lyon/pi1", "0.1.0", {})}).size(), 1U);
}

TEST(ReleaseNotes, TellOfImagesThatLackTheirIso) {
  Release release;
  Image& image = release.images.emplace_back();
  image.name = "jammy";
  image.tag = "22.04";
  image.facts.family = "ubuntu";
  image.facts.kernel = "casper/vmlinuz";
  BootEntry& entry = release.entries.emplace_back();
  entry.name = "rescue";
  entry.image = "jammy@22.04";
  entry.boot = {{"any", "image/casper/vmlinuz"}};
  EXPECT_THAT(release_notes(release, {}, {agent("lyon/pi1", "0.1.0", {kAbilityBootFiles})}),
              IsEmpty())
      << "it only lends a file";
  entry.boot.clear();
  EXPECT_THAT(release_notes(release, {}, {}),
              ElementsAre(AllOf(HasSubstr("jammy@22.04"), HasSubstr("another --tag"))));
  image.facts.stage2 = "ubuntu.iso";
  EXPECT_THAT(release_notes(release, {}, {}), IsEmpty());
}

}  // namespace
}  // namespace farboot
