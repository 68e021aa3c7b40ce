// The fleet directory: everything that is wrong, at once, with file and line. One folder per case
// in tests/golden/fleet/, and beside it what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "controller/cli/fleet_check.h"
#include "controller/cli/fleet_directory.h"
#include "controller/cli/yaml.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

const KnownContent kKnown{.images = {{{"centos7", "1708", "7", "redhat"},
                                      {"rocky9", "9.3", "9.3", "redhat"},
                                      {"rocky9", "9.4", "9.4", "redhat"},
                                      {"stream9", "9", "9", "redhat"},
                                      {"win11", "24h2", "", "windows"},
                                      {"debian12", "12.5", "12", "debian"}}},
                          .loaders = {{"snponly.efi", "undionly.kpxe"}}};

std::string said(const Findings& findings) {
  std::string out;
  for (const Finding& finding : findings.sorted()) {
    out += to_string(finding.place) +
           (finding.severity == Finding::Severity::error ? ": error: " : ": warning: ") +
           finding.text + "\n";
    if (!finding.hint.empty()) out += "    " + finding.hint + "\n";
  }
  return out;
}

/// What is said of a fleet.yaml, errors and warnings.
std::string said_of(const std::string& fleet_yaml) {
  TempFolder folder;
  std::ofstream(folder / "fleet.yaml") << fleet_yaml;
  Findings findings;
  FleetDirectory fleet = read_fleet(folder.path(), findings);
  check_fleet(fleet, kKnown, findings);
  return said(findings);
}

class FleetGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(FleetGolden, SaysEverythingThatIsWrong) {
  const std::string name = GetParam();
  Findings findings;
  FleetDirectory fleet = read_fleet("tests/golden/fleet/" + name, findings);
  check_fleet(fleet, kKnown, findings);
  expect_golden("fleet/" + name + ".txt", said(findings));
}

INSTANTIATE_TEST_SUITE_P(Cases, FleetGolden,
                         ::testing::Values("good", "broken", "shapes", "templates", "lint", "tools",
                                           "menus"),
                         [](const auto& a_case) { return std::string(a_case.param); });

TEST(FleetVariables, ThatAgentsReadAreChecked) {
  const auto said_of_variables = [](const std::string& variables) {
    TempFolder folder;
    std::filesystem::create_directory(folder / "sites");
    std::ofstream(folder / "fleet.yaml") << "entries: {shell: {kind: shell}}\n";
    std::ofstream(folder / "sites" / "lyon.yaml")
        << "variables:\n  " << variables
        << "\nhosts:\n  web1: {macs: ['52:54:00:00:00:01'], variables: {loader: 'a.efi', "
           "uefi_reply: binl}}\n";
    Findings findings;
    FleetDirectory fleet = read_fleet(folder.path(), findings);
    check_fleet(fleet, kKnown, findings);
    return said(findings);
  };
  const std::string site = "sites/lyon.yaml:2: ";
  const auto line = [&](const std::string& variables) {
    const std::string all = said_of_variables(variables);
    const std::size_t at = all.find(site);
    return at == std::string::npos ? "" : all.substr(at, all.find('\n', at) - at);
  };
  EXPECT_EQ(line("loader: /etc/passwd"),
            site +
                "error: loader: /etc/passwd: want the name of a boot loader such as ipxe.efi, "
                "or ipxe, grub or shim");
  EXPECT_EQ(line("loader: vax=ipxe.efi"),
            site + "error: loader: vax: want an architecture such as x64_uefi, or its number");
  EXPECT_EQ(line("loader: bios=shim"), site + "error: loader: shim: there is none for bios");
  EXPECT_EQ(line("uefi_reply: twice"), site + "error: uefi_reply: twice: want binl or one_shot");
  EXPECT_EQ(line("loader: shim"), site +
                                      "warning: loader: shim: no such file among the boot "
                                      "loaders, machines get the usual one");
  for (const char* good :
       {"loader: ipxe", "loader: snponly.efi", "uefi_reply: one_shot", "loader: ''",
        "uefi_reply: ''", "loader: shim arm64_uefi=ipxe snponly.efi"})
    EXPECT_EQ(line(good), "") << good;
  EXPECT_THAT(said_of_variables("loader: ipxe"),
              HasSubstr("sites/lyon.yaml:4: warning: loader: a.efi: no such file"));
}

TEST(FleetDirectory, ReadsTheGoodOneWhole) {
  Findings findings;
  FleetDirectory fleet = read_fleet("tests/golden/fleet/good", findings);
  check_fleet(fleet, kKnown, findings);
  EXPECT_EQ(findings.errors() + findings.warnings(), 0u) << said(findings);
  ASSERT_EQ(fleet.entries.size(), 3u);
  const BootEntry& entry = fleet.entries[0].entry;
  EXPECT_EQ(entry.name, "centos7");
  EXPECT_EQ(entry.args_style, "legacy");
  EXPECT_EQ(entry.variables.at("root_hash"), "$6$abc");
  EXPECT_EQ(fleet.menu.menu.entries,
            (std::vector<MenuItem>{"centos7", "- Tools", "shell", "local"}));
  EXPECT_EQ(fleet.menu.menu.timeout, Seconds(10));
  ASSERT_EQ(fleet.sites.size(), 2u);
  const FleetSite& lyon = fleet.sites[0];
  EXPECT_EQ(lyon.limits, (SiteLimits{2'000'000, 4}));
  EXPECT_EQ(lyon.hosts[0].host.macs,
            (std::vector<std::string>{"52:54:00:aa:00:01", "52:54:00:aa:00:02"}));
  EXPECT_TRUE(lyon.hosts[0].install);
  EXPECT_EQ(lyon.hosts[1].host.uuid, "4c4c4544-0051-3510-8052-b4c04f4d3432");
  EXPECT_EQ(fleet.assets.at("bg.png").size_bytes, 3u);
}

TEST(FleetDirectory, AFolderThatCannotBeReadIsNoEmptyOne) {
  const TempFolder folder;
  std::ofstream(folder / "fleet.yaml") << "menu: {title: Lyon}\n";
  for (const char* name : {"sites", "kickstarts", "assets"}) std::ofstream(folder / name) << "file";
  Findings findings;
  read_fleet(folder.path().string(), findings);
  for (const char* name : {"sites", "kickstarts", "assets"})
    EXPECT_THAT(said(findings),
                HasSubstr(std::string(name) + ": error: cannot be read: Not a dir"));
}

TEST(FleetDirectory, JudgesNoImagesWithoutTheController) {
  Findings findings;
  FleetDirectory fleet = read_fleet("tests/golden/fleet/broken", findings);
  check_fleet(fleet, {}, findings);
  EXPECT_THAT(said(findings), ::testing::Not(HasSubstr("is not imported")));
  EXPECT_THAT(said(findings), HasSubstr("kickstart bsae does not exist"));
}

TEST(FleetDirectory, FillsInTheOnlyTag) {
  TempFolder folder;
  std::ofstream(folder / "fleet.yaml") << "entries: {c7: {image: centos7}}\n";
  Findings findings;
  FleetDirectory fleet = read_fleet(folder.path(), findings);
  check_fleet(fleet, kKnown, findings);
  EXPECT_EQ(findings.errors(), 0u) << said(findings);
  EXPECT_EQ(fleet.entries[0].entry.image, "centos7@1708");
  EXPECT_EQ(fleet.menu.menu.entries, std::vector<MenuItem>{"c7"}) << "all, if none are named";
}

TEST(FleetDirectory, ReadsMenusInMenusAndFiles) {
  TempFolder folder;
  std::filesystem::create_directory(folder / "assets");
  for (const char* name : {"mt.bin", "mt.efi", "shl.ini"}) std::ofstream(folder / "assets" / name);
  std::ofstream(folder / "fleet.yaml")
      << "menu:\n"
         "  entries:\n"
         "    - local\n"
         "    - {menu: tools, title: Tools, key: t, entries: [memtest, {menu: win, entries: "
         "[pe]}]}\n"
         "entries:\n"
         "  local: {kind: local}\n"
         "  memtest: {kind: tool, boot: {bios: assets/mt.bin, efi: assets/mt.efi}}\n"
         "  pe: {kind: winpe, image: win11, files: {winpeshl.ini: assets/shl.ini,\n"
         "       bootmgr: {bios: image/bootmgr}}}\n";
  Findings findings;
  FleetDirectory fleet = read_fleet(folder.path(), findings);
  KnownContent known = kKnown;
  known.loaders->push_back("wimboot");
  check_fleet(fleet, known, findings);
  EXPECT_EQ(said(findings), "");
  EXPECT_EQ(fleet.menu.menu.entries,
            (std::vector<MenuItem>{
                "local", MenuItem::menu("tools", "Tools",
                                        {"memtest", MenuItem::menu("win", "win", {"pe"})}, "t")}));
  EXPECT_EQ(fleet.entries[1].entry.boot,
            (FileSources{{"bios", "assets/mt.bin"}, {"efi", "assets/mt.efi"}}));
  EXPECT_EQ(fleet.entries[2].entry.files,
            (std::map<std::string, FileSources>{{"bootmgr", {{"bios", "image/bootmgr"}}},
                                                {"winpeshl.ini", {{"any", "assets/shl.ini"}}}}));
}

TEST(FleetDirectory, WantsAFileWhereOneIsToBeNamed) {
  const std::string places = "    assets/PATH, loaders/PATH, or image/PATH in the entry's image\n";
  EXPECT_EQ(said_of("entries:\n  m:\n    kind: tool\n    boot: \"\"\n"),
            "fleet.yaml:4: error: boot: \"\" is no place of a file\n" + places);
  EXPECT_EQ(said_of("entries:\n  m:\n    kind: tool\n    boot: {bios: ''}\n"),
            "fleet.yaml:4: error: boot: \"\" is no place of a file\n" + places);
  EXPECT_EQ(said_of("entries:\n  m:\n    kind: tool\n    image: centos7@1708\n"
                    "    files: {extra: ''}\n"),
            "fleet.yaml:5: error: files: extra: \"\" is no place of a file\n" + places);
  EXPECT_THAT(said_of("entries:\n  m:\n    kind: tool\n    image: centos7@1708\n"
                      "    files: {extra: {}}\n"),
              HasSubstr("fleet.yaml:5: error: files: extra: names no file\n"));
}

/// As fleets that programs write have it: nothing said is the default.
TEST(FleetDirectory, TakesAnEmptyBootForNone) {
  for (const char* const boot : {"{}", "", "~"}) {
    const auto said_with = [&](const char* entry) {
      return said_of(fmt::format("entries:\n  m:\n    {}\n    boot: {}\n", entry, boot));
    };
    EXPECT_EQ(said_with("image: centos7@1708"), "") << boot;
    EXPECT_EQ(said_with("kind: shell"), "") << boot;
    EXPECT_THAT(said_with("kind: tool"), HasSubstr("entry m has no image")) << boot;
  }
}

TEST(FleetDirectory, WantsTheDefaultInTheFirstMenu) {
  EXPECT_EQ(said_of("menu:\n  default: b\n  entries: [a, {menu: m, entries: [b]}]\n"
                    "entries: {a: {kind: shell}, b: {kind: local}}\n"),
            "fleet.yaml:2: error: menu: default b is in a menu of the menu\n"
            "    the timer runs in the first menu: add it to that one's entries too\n");
}

TEST(FleetDirectory, JudgesNoWimbootWithoutTheController) {
  TempFolder folder;
  std::ofstream(folder / "fleet.yaml") << "entries: {pe: {kind: winpe, image: win11}}\n";
  Findings findings;
  FleetDirectory fleet = read_fleet(folder.path(), findings);
  check_fleet(fleet, {}, findings);
  EXPECT_EQ(said(findings), "");
}

TEST(FleetDirectory, WarnsOfATimerThatInstalls) {
  const std::string entries = "entries: {a: {image: centos7@1708}, b: {kind: local}}\n";
  EXPECT_EQ(said_of("menu: {timeout: 10, default: b}\n" + entries), "");
  EXPECT_EQ(said_of("menu: {default: a}\n" + entries), "");
  EXPECT_EQ(said_of("menu:\n  timeout: 10\n  default: a\n" + entries),
            "fleet.yaml:3: warning: menu: every unknown machine installs a after 10 s\n"
            "    is that meant? `default: local` is the careful choice\n");
  EXPECT_THAT(said_of("menu: {timeout: 10, default: a}\n"
                      "entries: {a: {kind: winpe, image: centos7@1708}, b: {kind: local}}\n"),
              HasSubstr("installs a after 10 s"));
  EXPECT_EQ(said_of("menu:\n  timeout: 10\n  entries: [\"- One\", a, b]\n" + entries),
            "fleet.yaml:2: warning: menu: no default is named, and a installs: after 10 s unknown "
            "machines boot their disk\n"
            "    name the entry that the timer is to take: `default: local`\n");
  EXPECT_EQ(said_of("menu: {timeout: 10, entries: [b, a]}\n" + entries), "");
}

TEST(FleetDirectory, SaysWhatIsNoFleetDirectory) {
  TempFolder folder;
  Findings empty, nowhere;
  read_fleet(folder.path(), empty);
  EXPECT_THAT(said(empty), HasSubstr("fleet.yaml: error: is missing"));
  read_fleet(folder / "nowhere", nowhere);
  EXPECT_THAT(said(nowhere), HasSubstr("is not a directory"));
}

TEST(Findings, GuessesOnlyWhatIsNear) {
  EXPECT_EQ(did_you_mean("kickstrat", {"image", "kickstart"}), "did you mean \"kickstart\"?");
  EXPECT_EQ(did_you_mean("colour", {"image", "kickstart"}), "");
  EXPECT_EQ(did_you_mean("", {"image"}), "");
}

TEST(Yaml, ReportsWhatItCannotRead) {
  EXPECT_THAT(parse_yaml("a: [1, 2\nb: 3\n").error().what, HasSubstr("line "));
  EXPECT_FALSE(parse_yaml("a: *nowhere"));
  EXPECT_FALSE(parse_yaml(", a: 1\n"));
  EXPECT_FALSE(parse_yaml("\xff\xfe"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "[";
  for (int i = 0; i < 100; ++i) deep += "]";
  EXPECT_THAT(parse_yaml(deep).error().what, HasSubstr("deep"));
  // Each line doubles the one before: 2^24 values in a few hundred bytes.
  std::string laughs = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 24; ++i)
    laughs += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  EXPECT_FALSE(parse_yaml(laughs));
}

TEST(Yaml, KnowsLinesAndQuotes) {
  const auto root = parse_yaml("a: 1\nb:\n  - \"2\"\n  - x\n");
  ASSERT_TRUE(root) << root.error().what;
  EXPECT_FALSE(root->find("a")->quoted);
  const YamlNode& list = *root->find("b");
  EXPECT_TRUE(list.items[0].quoted);
  EXPECT_EQ(list.items[1].line, 4u);
}

}  // namespace
}  // namespace farboot
