#include "agent/boot/render_grub.h"

#include <gtest/gtest.h>
#include <regex.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <random>

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using Line = MenuPage::Line;

constexpr const char* kChecker = "/usr/bin/grub-script-check";

ScriptFrame grub_efi() {
  return {"http://10.4.0.2",
          {.mac = "52:54:00:00:00:01",
           .uuid = "4c4c4544-0051-3510-8052-b4c04f4d4e31",
           .buildarch = "x86_64",
           .platform = "efi"},
          {}};
}
ScriptFrame grub_bios() {
  ScriptFrame frame = grub_efi();
  frame.facts.buildarch = "i386";
  frame.facts.platform = "pcbios";
  return frame;
}

MenuPage sample_menu() {
  MenuPage page;
  page.title = "Farboot lyon";
  page.release = 6;
  page.timeout_ms = 10'000;
  page.default_entry = "local";
  page.lines = {{.name = "centos7", .text = "CentOS 7", .key = "c", .boots = EntryKind::install},
                {.kind = Line::Kind::gap, .text = "Tools"},
                {.kind = Line::Kind::menu,
                 .name = "tools",
                 .text = "The operator's \"tools\"",
                 .key = "t",
                 .lines = {{.name = "memtest", .text = "Memory test", .boots = EntryKind::tool},
                           {.kind = Line::Kind::gap},
                           {.name = "shell", .text = "Shell", .boots = EntryKind::shell}}},
                {.name = "local", .text = "Boot from the local disk", .boots = EntryKind::local}};
  return page;
}

LoadPlan sample_plan() {
  return {.headline = "ubuntu of release r6",
          .kernel = "t/00/casper/vmlinuz",
          .initrd = "t/00/casper/in itrd",
          .arguments = "ip=dhcp ds=nocloud;s=http://10.4.0.2/ks/x/ quote='a' cost=$5 #end"};
}

/// What grub-script-check says to a script; empty: nothing.
std::string complaint(const std::string& script) {
  TempFolder folder;
  const std::string path = (folder / "script.grub").string();
  std::ofstream(path) << script;
  const std::string out = (folder / "said").string();
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen(out.c_str(), "w", stderr) == nullptr) ::_exit(3);
    ::execl(kChecker, kChecker, path.c_str(), static_cast<char*>(nullptr));
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return golden::read_text(out) + "in\n" + script;
}

/// Every kind of answer, for both firmwares and both ways to ask.
std::vector<std::string> all_scripts(const std::string& text) {
  MenuPage menu = sample_menu();
  menu.title = text;
  for (Line& line : menu.lines) line.text = text;
  MenuPage asking = menu;
  asking.asks_first = true;
  asking.lines.pop_back();
  LoadPlan tool{.headline = text, .kernel = "t/00/x.efi", .arguments = text};
  LoadPlan plan = sample_plan();
  plan.arguments = text;
  plan.kernel = "t/" + text;
  plan.extras = {{"t/" + text, "name mode=755"}};
  const BootAnswer answers[] = {menu,
                                asking,
                                tool,
                                plan,
                                LoadPlan{.headline = "x", .kernel = "wimboot", .winpe = true},
                                LoadPlan{.headline = "x", .disc = "t/00/a.iso"},
                                LocalAnswer{text},
                                WaitAnswer{text, false, {}},
                                WaitAnswer{text, true, "centos7"},
                                ShellAnswer{},
                                TroubleAnswer{text},
                                ConfirmAnswer{"centos7", text}};
  std::vector<std::string> out;
  for (ScriptFrame frame : {grub_efi(), grub_bios()})
    for (const char* local : {"auto", "exit", "exit 1", "sanboot 0x81", "efi"}) {
      frame.local = parse_local_boot(local).value();
      out.push_back(grub_first_script(frame.server, frame.local));
      for (const BootAnswer& answer : answers)
        for (const GrubRoot root : {GrubRoot::http, GrubRoot::tftp})
          out.push_back(render_grub(frame, answer, root));
    }
  return out;
}

TEST(RenderGrub, IsTheGoldenOneForEachAnswer) {
  expect_golden("grub/first.grub", grub_first_script("http://10.4.0.2:8080", {}));
  expect_golden("grub/menu.grub", render_grub(grub_efi(), sample_menu(), GrubRoot::http));
  expect_golden("grub/load_http.grub", render_grub(grub_efi(), sample_plan(), GrubRoot::http));
  expect_golden("grub/load_tftp.grub", render_grub(grub_bios(), sample_plan(), GrubRoot::tftp));
  expect_golden("grub/local_bios.grub",
                render_grub(grub_bios(), LocalAnswer{"no install is ordered"}, GrubRoot::tftp));
  expect_golden("grub/local_uefi.grub",
                render_grub(grub_efi(), LocalAnswer{"no install is ordered"}, GrubRoot::tftp));
  expect_golden(
      "grub/wait.grub",
      render_grub(grub_efi(), WaitAnswer{"no release is active yet", false, {}}, GrubRoot::http));
  expect_golden("grub/wait_patient.grub",
                render_grub(grub_efi(), WaitAnswer{"4 installs are under way", true, "centos7"},
                            GrubRoot::http));
  expect_golden(
      "grub/trouble.grub",
      render_grub(grub_efi(), TroubleAnswer{"entry x: its image has no kernel"}, GrubRoot::http));
}

TEST(RenderGrub, AsksInAMenuBeforeItInstallsOverAnything) {
  MenuPage page = sample_menu();
  const std::string install = "farboot_ask \"${farboot_dir}\"'/centos7.grub'\n";
  EXPECT_NE(render_grub(grub_efi(), page, GrubRoot::http).find(install), std::string::npos);
  page.asks_first = true;
  const std::string asks = render_grub(grub_efi(), page, GrubRoot::http);
  EXPECT_EQ(asks.find(install), std::string::npos);
  EXPECT_NE(asks.find("submenu 'CentOS 7' --id 'centos7' --hotkey 'c' {\n"
                      "menuentry 'Boot from the local disk' {\nexit 1\n}\n"),
            std::string::npos)
      << asks;
  EXPECT_NE(asks.find("farboot_ask \"${farboot_dir}\"'/centos7~again.grub'\n"), std::string::npos);
}

TEST(RenderGrub, LetsItsTimerInstallOnlyWhatDefaultNames) {
  MenuPage page = sample_menu();
  const auto start = [&] {
    const std::string script = render_grub(grub_efi(), page, GrubRoot::http);
    const std::size_t at = script.find("set default='") + 13;
    return script.substr(at, script.find('\'', at) - at);
  };
  page.default_entry = "centos7";
  EXPECT_EQ(start(), "centos7");
  page.default_entry.clear();
  EXPECT_EQ(start(), "local");
  page.lines.pop_back();
  EXPECT_EQ(start(), "LOCAL");
  EXPECT_NE(render_grub(grub_efi(), page, GrubRoot::http).find("--id 'LOCAL' {"),
            std::string::npos);
}

TEST(RenderGrub, SaysWhatOnlyIpxeCanDo) {
  for (const LoadPlan& plan :
       {LoadPlan{.kernel = "wimboot", .winpe = true}, LoadPlan{.disc = "t/00/a.iso"}})
    EXPECT_NE(render_grub(grub_efi(), plan, GrubRoot::http).find("this needs iPXE"),
              std::string::npos);
}

TEST(RenderGrub, ChainsAProgramOfUefi) {
  const LoadPlan plan{.headline = "x", .kernel = "t/00/memtest.efi", .arguments = "a b"};
  EXPECT_NE(
      render_grub(grub_efi(), plan, GrubRoot::http)
          .find("if chainloader \"${farboot_root}\"'/t/00/memtest.efi' 'a' 'b'; then\nboot\n"),
      std::string::npos);
  EXPECT_NE(render_grub(grub_bios(), plan, GrubRoot::http).find("if linux "), std::string::npos);
}

// GRUB's own parser accepts whatever we write, whatever stands in names and titles.
TEST(RenderGrub, WritesWhatGrubCanRead) {
  if (::access(kChecker, X_OK) != 0) GTEST_SKIP() << kChecker << " is not installed (grub-common)";
  ASSERT_NE(complaint("if then\n"), "") << "the checker must be able to complain";
  for (const char* text :
       {"CentOS 7", "it's \"so\" \\", "a; } { $x ${y} `z` # || && \n fi", "'", ""})
    for (const std::string& script : all_scripts(text)) ASSERT_EQ(complaint(script), "");
}

/// What the first script's `regexp` takes of an SMBIOS string, by the C library's rules for the
/// same kind of expression; empty: nothing.
std::string serial_told(const std::string& said) {
  const std::string script = grub_first_script("http://10.4.0.2", {});
  const std::string command = "if regexp --set 1:farboot_serial '";
  const std::size_t begin = script.find(command);
  if (begin == std::string::npos) return "no such command";
  const std::size_t at = begin + command.size();
  regex_t pattern;
  const std::string text = script.substr(at, script.find('\'', at) - at);
  EXPECT_EQ(::regcomp(&pattern, text.c_str(), REG_EXTENDED), 0) << text;
  std::array<regmatch_t, 2> found{};
  const bool matches = ::regexec(&pattern, said.c_str(), found.size(), found.data(), 0) == 0;
  ::regfree(&pattern);
  if (!matches) return {};
  return said.substr(static_cast<std::size_t>(found[1].rm_so),
                     static_cast<std::size_t>(found[1].rm_eo - found[1].rm_so));
}

// GRUB escapes nothing: what could end a request's path or mean something in it stays out.
TEST(RenderGrub, TellsASerialNumberThatCanStandInAPath) {
  for (const char* serial : {"CZ1234ABCD", "a.b_c-1", "0"}) EXPECT_EQ(serial_told(serial), serial);
  EXPECT_EQ(serial_told("  CZ1234  "), "CZ1234") << "firmware pads them";
  const std::string longest(64, 'x');
  EXPECT_EQ(serial_told(longest), longest);
  const std::vector<std::string> strange = {"",    "   ",  "VMware-56 4d", "/7Q/CN",     "a?b",
                                            "a#b", "a%41", "a~b",          "a'b",        "a$b",
                                            "a)b", "a\nb", "\xc3\xa9\x01", longest + "x"};
  for (const std::string& serial : strange) EXPECT_EQ(serial_told(serial), "") << serial;
}

/// The words of a script as GRUB splits them: text in single quotes is none of them.
std::string unquoted(const std::string& script) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < script.size(); ++i) {
    if (!quoted && script[i] == '\\') {
      ++i;
      continue;
    }
    if (script[i] == '\'')
      quoted = !quoted;
    else if (!quoted)
      out += script[i];
  }
  EXPECT_FALSE(quoted);
  return out;
}

// Whatever an operator or a machine writes is one word, or as many as it has blanks.
TEST(RenderGrub, LetsNoTextChangeItsScripts) {
  const auto shape = [](const std::string& text) {
    std::string out;
    for (const std::string& script : all_scripts(text)) {
      for (const char c : unquoted(script)) out += c;
    }
    return out;
  };
  const std::string expected = shape("xy");
  const std::string alphabet = "|&;#\\$ {}\n\r\t'\"`a0%\x80";
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    std::string text = "x";
    for (unsigned i = random() % 40; i > 0; --i) text += alphabet[random() % alphabet.size()];
    std::string joined = text;  // arguments are words of their own
    for (char& c : joined)
      if (static_cast<unsigned char>(c) <= ' ') c = '_';
    EXPECT_EQ(shape(joined), expected) << "seed 7, round " << round;
  }
}

TEST(GrubPath, TellsTheMachineAndTheEntry) {
  const auto first = parse_grub_path(
      "boot/52:54:00:AA:00:01/4C4C4544-0051-3510-8052-B4C04F4D4E31/x86_64-efi.grub");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->facts.mac, "52:54:00:aa:00:01");
  EXPECT_EQ(first->facts.uuid, "4C4C4544-0051-3510-8052-B4C04F4D4E31");
  EXPECT_EQ(first->facts.buildarch, "x86_64");
  EXPECT_EQ(first->facts.platform, "efi");
  EXPECT_EQ(first->entry, "");
  const auto entry = parse_grub_path("boot/52-54-00-aa-00-01/none/i386-pc/centos7~again.grub");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->facts.uuid, "");
  EXPECT_EQ(entry->facts.platform, "pcbios");
  EXPECT_EQ(entry->entry, "centos7~again");
  const auto serial = parse_grub_path("boot/52:54:00:aa:00:01/none~CZ-1234.5_b/x86_64-efi/x.grub");
  ASSERT_TRUE(serial);
  EXPECT_EQ(serial->facts.uuid, "");
  EXPECT_EQ(serial->facts.serial, "CZ-1234.5_b");
  EXPECT_EQ(serial->entry, "x");
  EXPECT_EQ(parse_grub_path("boot/525400aa0001/4c~/i386-pc.grub")->facts.uuid, "4c");
  // Processors are called as iPXE calls them.
  EXPECT_EQ(parse_grub_path("boot/525400aa0001/none/arm-efi.grub")->facts.buildarch, "arm32");
  EXPECT_EQ(parse_grub_path("boot/525400aa0001/none/loongarch64-efi.grub")->facts.buildarch,
            "loong64");
  EXPECT_EQ(parse_grub_path("boot/525400aa0001/none/arm64-efi.grub")->facts.buildarch, "arm64");
  for (const char* wrong :
       {"", "boot/.grub", "boot/52:54:00:aa:00:01.grub", "boot/52:54:00:aa:00:01/none.grub",
        "boot/52:54:00:aa:00:01//x86_64-efi.grub", "boot/nobody/none/x86_64-efi.grub",
        "boot/52:54:00:aa:00:01/none/x86_64.grub", "boot/52:54:00:aa:00:01/none/x86_64-efi.ipxe",
        "boot/52:54:00:aa:00:01/none/x86_64-efi/a/b.grub", "52:54:00:aa:00:01/none/x-efi.grub"})
    EXPECT_FALSE(parse_grub_path(wrong)) << wrong;
}

}  // namespace
}  // namespace farboot
