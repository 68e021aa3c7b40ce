#include "controller/fleet/release_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

AgentStatus agent(std::string id, std::string version, std::vector<std::string> abilities) {
  AgentStatus out;
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

TEST(ReleaseNotes, NameAgentsThatOverlookPartOfAnEntry) {
  const auto notes =
      release_notes(with_memtest(), {agent("lyon/pi1", "0.1.0", {}),
                                     agent("lyon/pi2", "0.1.0", {"more", kAbilityBootFiles}),
                                     agent("nice/pi1", "", {})});
  EXPECT_THAT(notes, ElementsAre(AllOf(HasSubstr("(memtest): lyon/pi1;"), HasSubstr("upgrade"),
                                       Not(HasSubstr("pi2")), Not(HasSubstr("nice")))));
}

TEST(ReleaseNotes, NameOnlySoManyAgents) {
  std::vector<AgentStatus> agents;
  for (int i = 0; i < 25; ++i) agents.push_back(agent(fmt::format("lyon/pi{}", i), "0.1.0", {}));
  EXPECT_THAT(release_notes(with_memtest(), agents),
              ElementsAre(AllOf(HasSubstr("lyon/pi9 and 15 more"), Not(HasSubstr("pi10")))));
}

TEST(ReleaseNotes, AreNoneWhereEveryAgentDoesWhatIsAsked) {
  Release release = with_memtest();
  EXPECT_THAT(release_notes(release, {agent("lyon/pi1", "0.1.0", {kAbilityBootFiles})}), IsEmpty());
  release.entries[0].boot.clear();
  EXPECT_THAT(release_notes(release, {agent("lyon/pi1", "0.1.0", {})}), IsEmpty());
  release.entries[0].files = {{"BCD", {{"any", "assets/BCD"}}}};
  EXPECT_EQ(release_notes(release, {agent("lyon/pi1", "0.1.0", {})}).size(), 1U);
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
  EXPECT_THAT(release_notes(release, {agent("lyon/pi1", "0.1.0", {kAbilityBootFiles})}), IsEmpty())
      << "it only lends a file";
  entry.boot.clear();
  EXPECT_THAT(release_notes(release, {}),
              ElementsAre(AllOf(HasSubstr("jammy@22.04"), HasSubstr("another --tag"))));
  image.facts.stage2 = "ubuntu.iso";
  EXPECT_THAT(release_notes(release, {}), IsEmpty());
}

}  // namespace
}  // namespace farboot
