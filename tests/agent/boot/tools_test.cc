// Entries that load more, or something else, than a kernel of their image.
#include <gtest/gtest.h>

#include "agent/http/find_file.h"
#include "tests/agent/boot/boot_service_fixture.h"
#include "tests/support/golden.h"

namespace farboot {
namespace {

class ToolsTest : public BootServiceTest {
 protected:
  Digest put(std::vector<std::string> paths) {
    Manifest tree;
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) tree.files.push_back(testing::file(path));
    auto digest = put_manifest(*bench->card.content, tree);
    EXPECT_TRUE(digest) << digest.error().what;
    return *digest;
  }
  /// Release 7 with assets, loaders, a Windows disc, and `entry` in the menu.
  Release release_with(BootEntry entry,
                       const std::vector<std::string>& disc = {"Boot/BCD", "BOOT/Boot.SDI",
                                                               "Sources/BOOT.WIM", "bootmgr"}) {
    Release release = testing::centos_release(7, bench->put_tree(10));
    release.assets = put({"memtest.bin", "memtest.efi", "rescue.iso", "winpeshl.ini"});
    release.loaders = put({"wimboot", "tool.efi"});
    release.images.push_back(
        {"winpe", "11", put(disc), {"windows", "WinPE", "11", "x86_64", "", "", "", ""}, 1});
    release.menu.entries.emplace_back(entry.name);
    release.entries.push_back(std::move(entry));
    return release;
  }
  std::string chosen(const std::string& entry, const MachineFacts& facts) {
    auto text = choose(entry, facts);
    EXPECT_TRUE(text) << text.error().what;
    return text ? *text : std::string();
  }

  static MachineFacts bios() {
    MachineFacts facts = machine("52:54:00:00:00:99");
    facts.platform = "pcbios";
    facts.buildarch = "i386";
    return facts;
  }
  static MachineFacts uefi(std::string buildarch = "x86_64") {
    MachineFacts facts = bios();
    facts.platform = "efi";
    facts.buildarch = std::move(buildarch);
    return facts;
  }
  static BootEntry memtest() {
    BootEntry entry{.name = "memtest", .title = "Memory test", .kind = EntryKind::tool};
    entry.args = "console=ttyS0";
    entry.boot = {{"bios", "assets/memtest.bin"}, {"efi", "loaders/tool.efi"}};
    return entry;
  }
  static BootEntry winpe() {
    return {.name = "winpe", .kind = EntryKind::winpe, .image = "winpe@11"};
  }
};

TEST_F(ToolsTest, BootsWhatThePlatformHas) {
  bench->activate(release_with(memtest()));
  expect_golden("ipxe/memtest_bios.ipxe", masked(chosen("memtest", bios())));
  EXPECT_NE(chosen("memtest", uefi()).find("/tool.efi console=ttyS0 || goto FAILED\nboot"),
            std::string::npos);
  EXPECT_NE(script(bios()).find("item memtest"), std::string::npos);
  EXPECT_EQ(script(uefi("arm64")).find("item memtest"), std::string::npos) << "nothing for it";
  EXPECT_NE(chosen("memtest", uefi("arm64")).find("nothing to boot on a machine of this kind"),
            std::string::npos);
}

// What goes out by HTTP under such a URL is the file that the script meant, also after a rollout.
TEST_F(ToolsTest, NamesFilesByTheirTree) {
  const Release release = release_with(memtest());
  bench->activate(release);
  const std::string path = fmt::format("/t/{}/memtest.bin ", *release.assets);
  EXPECT_NE(chosen("memtest", bios()).find(kServer + path), std::string::npos);
  EXPECT_NE(bench->catalog.find_tree(*release.assets, "memtest.bin").entry, nullptr);
}

TEST_F(ToolsTest, BootsADiscImageAsADisc) {
  BootEntry rescue{.name = "rescue", .kind = EntryKind::tool};
  rescue.boot = {{"any", "assets/rescue.iso"}};
  bench->activate(release_with(rescue));
  EXPECT_NE(chosen("rescue", uefi()).find("\nsanboot --no-describe http://10.4.0.2/t/"),
            std::string::npos);
}

TEST_F(ToolsTest, FindsWindowsFilesInAnyCase) {
  bench->activate(release_with(winpe()));
  const std::string text = chosen("winpe", uefi());
  for (const char* line :
       {"/Boot/BCD BCD ||", "/BOOT/Boot.SDI boot.sdi ||", "/Sources/BOOT.WIM boot.wim ||"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

TEST_F(ToolsTest, NamesTwoSpellingsOfAFile) {
  bench->activate(release_with(winpe(), {"SOURCES/boot.wim", "sources/Boot.wim"}));
  EXPECT_NE(chosen("winpe", uefi())
                .find("its image has SOURCES/boot.wim and sources/Boot.wim: which is meant?"),
            std::string::npos);
}

TEST_F(ToolsTest, NeedsNoMoreOfWindowsThanItsWim) {
  bench->activate(release_with(winpe(), {"SOURCES/boot.wim"}));
  const std::string text = chosen("winpe", uefi());
  EXPECT_NE(text.find("/SOURCES/boot.wim boot.wim ||"), std::string::npos);
  EXPECT_EQ(text.find(" BCD "), std::string::npos);
  Release without = release_with(winpe(), {"boot/bcd"});
  without.number = 8;
  bench->activate(without);
  EXPECT_NE(chosen("winpe", uefi("i386")).find("has no sources/boot.wim"), std::string::npos);
}

TEST_F(ToolsTest, AddsTheOperatorsFilesToWindows) {
  BootEntry entry = winpe();
  entry.files = {{"winpeshl.ini", {{"any", "assets/winpeshl.ini"}}},
                 {"bootmgr", {{"bios", "image/BootMgr"}}},
                 {"bcd", {{"any", "assets/winpeshl.ini"}}}};
  bench->activate(release_with(entry));
  const std::string text = chosen("winpe", bios());
  EXPECT_NE(text.find("/winpeshl.ini winpeshl.ini || goto FAILED\n"), std::string::npos) << text;
  EXPECT_NE(text.find("/bootmgr bootmgr || goto FAILED\n"), std::string::npos) << text;
  EXPECT_NE(text.find("/winpeshl.ini bcd || goto FAILED\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("/Boot/BCD"), std::string::npos) << "their own takes its place";
}

TEST_F(ToolsTest, SaysWhichFileIsNotThere) {
  BootEntry entry = winpe();
  entry.files = {{"bootmgr", {{"any", "image/nothing"}}}};
  bench->activate(release_with(entry));
  EXPECT_NE(chosen("winpe", bios()).find("its image has no nothing"), std::string::npos);
}

// An attempt holds on to all it loads: a repeat after two rollouts finds it.
TEST_F(ToolsTest, KeepsTheFilesOfAnAttempt) {
  BootEntry entry = winpe();
  entry.files = {{"winpeshl.ini", {{"any", "assets/winpeshl.ini"}}}};
  const Release release = release_with(entry);
  bench->activate(release);
  HostSpec host = web1();
  host.entry = "winpe";
  apply({host});
  ASSERT_TRUE(installs_now(script()));
  for (std::uint64_t number : {8u, 9u}) bench->activate(number);
  restart();
  apply({host});
  const std::string again = script();
  EXPECT_NE(again.find(fmt::format("/t/{}/winpeshl.ini winpeshl.ini", *release.assets)),
            std::string::npos)
      << again;
  EXPECT_NE(bench->catalog.find_tree(*release.assets, "winpeshl.ini").entry, nullptr);
  EXPECT_EQ(bench->catalog.find_tree(*release.loaders, "wimboot").entry, nullptr)
      << "what it does not name it does not hold";
}

// One decision, whatever language it is then put into.
TEST_F(ToolsTest, AnswersBeforeAnyLanguage) {
  Release release = release_with(memtest());
  release.menu.template_name = "own";
  release.menus["own"] = "shell\n";
  bench->activate(release);
  const MachineFacts stranger = uefi();
  const auto page = [&] {
    const auto answered = bench->run(boot->answer(stranger, kServer));
    const auto* menu = std::get_if<MenuPage>(&answered.answer);
    EXPECT_NE(menu, nullptr);
    return menu == nullptr ? MenuPage() : *menu;
  };
  EXPECT_EQ(page().own_script, "#!ipxe\nshell\n");
  EXPECT_FALSE(page().lines.empty()) << "for GRUB, which cannot read the operator's script";
  EXPECT_FALSE(page().asks_first);
  ASSERT_TRUE(kickstart(token_in(chosen("centos7", stranger))));
  static_cast<void>(script(stranger));
  EXPECT_TRUE(page().asks_first) << "it was installed from here";
  const auto local = bench->run(boot->answer_entry(stranger, "local", kServer));
  ASSERT_TRUE(local);
  EXPECT_TRUE(std::holds_alternative<LocalAnswer>(local->answer));
}

// The script names the picture by the address the client reached us by, and what it names there is
// what HTTP finds under it.
TEST_F(ToolsTest, ShowsThePictureOfTheMenu) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.assets = put({"bg.png", "pictures/dark bg.png"});
  bench->activate(release);
  EXPECT_EQ(script(bios()).find("\nconsole "), std::string::npos) << "no picture was chosen";
  for (const char* picture : {"bg.png", "pictures/dark bg.png"}) {
    SCOPED_TRACE(picture);
    ++release.number;
    release.menu.picture = picture;
    bench->activate(release);
    const std::string text = script(bios());
    std::smatch found;
    ASSERT_TRUE(std::regex_search(
        text, found, std::regex("\nconsole [^\n]*--picture " + kServer + "(/a/[^ ]+) \\|\\|\n")))
        << text;
    EXPECT_LT(found.position(), static_cast<std::ptrdiff_t>(text.find("\nmenu "))) << "before it";
    const auto target = parse_target(found[1].str());
    ASSERT_TRUE(target);
    const CatalogFile file = find_file(bench->catalog, find_route(*target));
    ASSERT_NE(file.entry, nullptr) << found[1];
    EXPECT_EQ(file.manifest, *release.assets);
    EXPECT_EQ(file.entry->path, picture);
  }
}

TEST_F(ToolsTest, ShowsMenusInTheMenu) {
  Release release = release_with(memtest());
  release.menu.entries = {"centos7", MenuItem::menu("tools", "Tools", {"memtest", "-"}, "t"),
                          "local"};
  bench->activate(release);
  const std::string text = script(bios());
  EXPECT_NE(text.find("\nitem --key 0x74 tools Tools >\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n:tools\nmenu Tools"), std::string::npos);
  EXPECT_NE(text.find("&entry=memtest || goto FAILED\n"), std::string::npos);
  EXPECT_EQ(script(uefi("arm64")).find("tools"), std::string::npos) << "nothing in it for this one";
}

}  // namespace
}  // namespace farboot
