#include "agent/boot/render.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/golden.h"

namespace farboot {
namespace {

ScriptFrame bios() {
  return {"http://10.4.0.2",
          {.mac = "52:54:00:00:00:01",
           .uuid = "4c4c4544-0051-3510-8052-b4c04f4d4e31",
           .serial = "ABC 1/+",
           .manufacturer = "QEMU",
           .product = "Standard PC",
           .buildarch = "i386",
           .platform = "pcbios"},
          {}};
}
ScriptFrame uefi() {
  ScriptFrame frame = bios();
  frame.facts.platform = "efi";
  frame.facts.buildarch = "x86_64";
  return frame;
}

using Line = MenuPage::Line;

Line entry_line(std::string name, std::string text, EntryKind boots, std::string key = "") {
  return {.name = std::move(name), .text = std::move(text), .key = std::move(key), .boots = boots};
}
Line gap(std::string text) { return {.kind = Line::Kind::gap, .text = std::move(text)}; }
Line sub_menu(std::string name, std::string text, std::string key, std::vector<Line> lines) {
  return {.kind = Line::Kind::menu,
          .name = std::move(name),
          .text = std::move(text),
          .key = std::move(key),
          .lines = std::move(lines)};
}

MenuPage sample_page() {
  MenuPage page;
  page.title = "Farboot lyon";
  page.release = 6;
  page.timeout_ms = 10'000;
  page.default_entry = "centos7";
  page.lines = {entry_line("centos7", "CentOS 7", EntryKind::install, "c"),
                gap(""),
                gap("Tools"),
                entry_line("memtest", "Memory test", EntryKind::tool),
                entry_line("shell", "iPXE shell", EntryKind::shell),
                entry_line("local", "Boot from the local disk", EntryKind::local)};
  return page;
}

std::string local_script(const ScriptFrame& frame, std::string why) {
  return render_ipxe(frame, LocalAnswer{std::move(why)});
}

TEST(FirstScript, IsTheGoldenOne) {
  expect_golden("ipxe/first.ipxe", first_script("http://10.4.0.2", {}));
}

TEST(FirstScript, BootsTheDiskInTheSitesWayIfNobodyAnswers) {
  const std::string script =
      first_script("http://10.4.0.2", parse_local_boot("sanboot 0x81").value());
  EXPECT_TRUE(script.ends_with("&& shell ||\nsanboot --no-describe --drive 0x81 || exit\n"))
      << script;
}

TEST(MenuScript, IsTheGoldenOne) {
  MenuPage page = sample_page();
  page.picture = "a/bg.png";
  expect_golden("ipxe/menu.ipxe", render_ipxe(bios(), page));
}

TEST(MenuScript, GivesItsTimerTheDiskOnceTheMachineWasInstalled) {
  MenuPage page = sample_page();
  page.default_local = true;
  EXPECT_NE(render_ipxe(bios(), page).find("choose --default local --timeout 10000 "),
            std::string::npos);
  page.lines.pop_back();  // the operator offers no disk
  const std::string script = render_ipxe(bios(), page);
  EXPECT_NE(script.find("item LOCAL Boot from the local disk\n"), std::string::npos);
  EXPECT_NE(script.find("choose --default LOCAL "), std::string::npos);
  page.default_entry = "memtest";
  EXPECT_NE(render_ipxe(bios(), page).find("choose --default memtest "), std::string::npos)
      << "harmless";
  page.default_entry.clear();
  EXPECT_NE(render_ipxe(bios(), page).find("choose --default LOCAL "), std::string::npos)
      << "the timer would take the first";
  page.lines.clear();
  EXPECT_NE(render_ipxe(bios(), page).find("choose --default LOCAL "), std::string::npos);
}

std::string start_name(const MenuPage& page) {
  const std::string script = render_ipxe(bios(), page);
  const std::size_t at = script.find("choose --default ") + 17;
  return script.substr(at, script.find(' ', at) - at);
}

TEST(MenuScript, LetsItsTimerInstallOnlyWhatDefaultNames) {
  MenuPage page = sample_page();
  EXPECT_EQ(start_name(page), "centos7") << "named and shown";
  page.default_entry.clear();
  EXPECT_EQ(start_name(page), "local") << "nobody named the first one";
  page.default_entry = "ubuntu-arm";
  EXPECT_EQ(start_name(page), "local") << "named, but not for this machine";
  page.lines[0].boots = EntryKind::winpe;
  EXPECT_EQ(start_name(page), "local") << "Windows' set-up writes to disks too";
  page.default_entry = "centos7";
  EXPECT_EQ(start_name(page), "centos7");
  page.default_entry.clear();
  page.lines.erase(page.lines.begin());
  EXPECT_EQ(start_name(page), "memtest") << "installs nothing";
  page.default_entry = "centos7";
  EXPECT_EQ(start_name(page), "local") << "what was meant is not here: no other in its place";
}

TEST(MenuScript, PutsTheCursorFirstWhereNoTimerRuns) {
  MenuPage page = sample_page();
  page.timeout_ms = 0;
  page.default_entry.clear();
  EXPECT_EQ(start_name(page), "centos7");
}

TEST(MenuScript, WaitsForEverWithoutTimeout) {
  MenuPage page = sample_page();
  page.timeout_ms = 0;
  EXPECT_NE(render_ipxe(bios(), page).find("choose --default centos7 target"), std::string::npos);
}

TEST(LocalScript, IsTheGoldenOneForEachFirmware) {
  expect_golden("ipxe/local_bios.ipxe", local_script(bios(), "no install is ordered"));
  expect_golden("ipxe/local_uefi.ipxe", local_script(uefi(), "no install is ordered"));
  ScriptFrame unknown = bios();
  unknown.facts.platform.clear();
  expect_golden("ipxe/local_unknown.ipxe", local_script(unknown, "no install is ordered"));
}

TEST(LocalBoot, IsChosenPerMachine) {
  const auto ends_with = [](std::string_view way, std::string_view lines) {
    ScriptFrame frame = bios();
    auto local = parse_local_boot(way);
    ASSERT_TRUE(local) << way;
    frame.local = *local;
    const std::string script = local_script(frame, "x");
    EXPECT_TRUE(script.ends_with(lines)) << script;
  };
  ends_with("auto", "\nsanboot --no-describe --drive 0x80 || exit\n");
  ends_with("exit", "\nexit\n");
  ends_with("exit 1", "\nexit 1\n");
  ends_with("sanboot 0x81", "\nsanboot --no-describe --drive 0x81 || exit\n");
  ends_with("efi", "--drive 0 --filename \\EFI\\BOOT\\BOOTX64.EFI || exit 1\n");
  ends_with("efi \\EFI\\debian\\grubx64.efi", "--filename \\EFI\\debian\\grubx64.efi || exit 1\n");
  for (const char* wrong : {"sanboot 0x80 || shell", "efi grub", "efi \\a b", "efi \\a\nshell",
                            "disk", "exit 2", "sanboot 0x8000000"})
    EXPECT_FALSE(parse_local_boot(wrong)) << wrong;
}

TEST(MenuScript, HoldsMenusInTheMenu) {
  MenuPage page = sample_page();
  page.default_entry = "local";
  page.lines[3] =
      sub_menu("tools", "Tools", "t",
               {entry_line("memtest", "Memory test", EntryKind::tool, "m"), gap("Discs"),
                sub_menu("windows", "", "", {entry_line("pe", "WinPE", EntryKind::winpe)}),
                entry_line("shell", "iPXE shell", EntryKind::shell)});
  expect_golden("ipxe/menu_nested.ipxe", render_ipxe(bios(), page));
}

TEST(MenuScript, LetsNoTimerGoIntoAMenu) {
  MenuPage page = sample_page();
  page.default_entry.clear();
  page.lines.erase(page.lines.begin());
  page.lines.insert(page.lines.begin(), sub_menu("tools", "Tools", "", {gap("x")}));
  EXPECT_EQ(start_name(page), "memtest");
  page.default_entry = "tools";
  EXPECT_EQ(start_name(page), "local") << "a menu is no entry";
}

TEST(WaitScript, IsTheGoldenOne) {
  const ScriptFrame frame = bios();
  expect_golden("ipxe/wait.ipxe",
                render_ipxe(frame, WaitAnswer{"no release is active yet", false, {}}));
  expect_golden("ipxe/wait_patient.ipxe",
                render_ipxe(frame, WaitAnswer{"4 installs are under way", true, {}}));
}

TEST(WaitScript, AsksForItsEntryAgain) {
  const std::string script = render_ipxe(bios(), WaitAnswer{"full", true, "centos7"});
  EXPECT_NE(script.find("&entry=centos7 ||\n"), std::string::npos) << script;
}

TEST(Scripts, OfTheRestAreGolden) {
  const ScriptFrame frame = uefi();
  expect_golden("ipxe/shell.ipxe", render_ipxe(frame, ShellAnswer{}));
  expect_golden("ipxe/trouble.ipxe",
                render_ipxe(frame, TroubleAnswer{"entry x: its image has no kernel"}));
  expect_golden("ipxe/confirm.ipxe", render_ipxe(frame, ConfirmAnswer{"centos7", "CentOS 7"}));
}

TEST(LoadScript, NamesItsInitrd) {
  LoadPlan plan{.headline = "x",
                .kernel = "t/00/vmlinuz",
                .initrd = "t/00/initrd.gz",
                .arguments = "a=b # c || d\nshell"};
  const std::string script = render_ipxe(bios(), plan);
  EXPECT_NE(script.find("kernel http://10.4.0.2/t/00/vmlinuz initrd=initrd.gz a=b  c  d shell || "
                        "goto FAILED\ninitrd http://10.4.0.2/t/00/initrd.gz || goto FAILED\nboot"),
            std::string::npos)
      << script;
  plan.initrd = "t/00/in itrd";
  EXPECT_NE(render_ipxe(bios(), plan).find("initrd --name initrd.img http://10.4.0.2/t/00/in%20"),
            std::string::npos);
  plan.initrd.clear();
  EXPECT_EQ(render_ipxe(bios(), plan).find("initrd"), std::string::npos);
}

TEST(LoadScript, BootsADiscAsADisc) {
  const std::string script =
      render_ipxe(uefi(), LoadPlan{.headline = "x", .disc = "t/00/rescue disc.iso"});
  EXPECT_NE(script.find("\nsanboot --no-describe http://10.4.0.2/t/00/rescue%20disc.iso || goto "
                        "FAILED\n:FAILED\n"),
            std::string::npos)
      << script;
  EXPECT_EQ(script.find("kernel"), std::string::npos);
}

// Whatever a machine says of itself, the scripts have the same lines and the same words.
TEST(Scripts, LetNoFactChangeThem) {
  const auto shape = [&](const ScriptFrame& frame) {
    std::string all = render_ipxe(frame, sample_page()) +
                      render_ipxe(frame, WaitAnswer{"x", false, {}}) +
                      render_ipxe(frame, ShellAnswer{}) + local_script(frame, "x");
    std::size_t blanks = 0, lines = 0, dollars = 0;
    for (const char c : all) {
      blanks += c == ' ';
      lines += c == '\n';
      dollars += c == '$';
      EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
    }
    return std::tuple(blanks, lines, dollars);
  };
  const auto expected = shape(bios());
  const std::string alphabet = "|&;#\\$ {}\n\r\t'\"`a0%\x80";
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    ScriptFrame frame = bios();
    const auto hostile = [&] {
      std::string text = "x";
      for (unsigned i = random() % 40; i > 0; --i) text += alphabet[random() % alphabet.size()];
      return text;
    };
    frame.facts.serial = hostile();
    frame.facts.manufacturer = hostile();
    frame.facts.product = hostile();
    frame.facts.asset = "";
    frame.facts = cleaned(frame.facts);
    EXPECT_EQ(shape(frame), expected) << "seed 7, round " << round;
  }
}

TEST(AsKickstart, IsPlainLinesForAShell) {
  EXPECT_EQ(as_kickstart("\xef\xbb\xbf"
                         "install\r\n%pre\r\necho \ra\r\n%end"),
            "install\n%pre\necho \ra\n%end\n");
  EXPECT_EQ(as_kickstart(""), "");
}

}  // namespace
}  // namespace farboot
