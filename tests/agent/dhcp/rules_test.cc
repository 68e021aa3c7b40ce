#include "agent/dhcp/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<ClientRule> rules(const std::vector<std::string>& texts) {
  std::vector<ClientRule> made;
  for (const std::string& text : texts) {
    auto rule = parse_client_rule(text);
    EXPECT_TRUE(rule) << rule.error().what;
    if (rule) made.push_back(std::move(*rule));
  }
  return made;
}

Policy ruled(const std::vector<std::string>& texts) {
  Policy policy;
  policy.rules = rules(texts);
  return policy;
}

TEST(DhcpRules, ReadsWhomTheyAreForAndWhatTheyGet) {
  const ClientRule rule =
      rules({"52:54:00  arch=x64_uefi class=PXEClient:Arch loader=my/ipxe.efi\tone_shot"})[0];
  EXPECT_THAT(rule.who.macs, ElementsAre(Bytes{0x52, 0x54, 0x00}));
  EXPECT_EQ(rule.who.arch, 7);
  EXPECT_EQ(rule.who.class_begins, "PXEClient:Arch");
  EXPECT_THAT(rule.what.loaders, ElementsAre(ArchLoader{7, "my/ipxe.efi"}));
  EXPECT_EQ(rule.what.uefi_style, ReplyStyle::one_shot);
  EXPECT_FALSE(rule.what.raspberry_pi_rom);
}

TEST(DhcpRules, AFileIsForOneArchitecture) {
  const auto loaders = [](const std::string& text) { return rules({text})[0].what.loaders; };
  EXPECT_THAT(loaders("52 loader=ipxe.efi"), ElementsAre(ArchLoader{7, "ipxe.efi"}));
  EXPECT_THAT(loaders("52 loader=ipxe.pxe"), ElementsAre(ArchLoader{0, "ipxe.pxe"}));
  EXPECT_THAT(loaders("loader=a.efi arch=11"), ElementsAre(ArchLoader{11, "a.efi"}));
  EXPECT_THAT(loaders("arch=bios_http loader=tool.iso"), ElementsAre(ArchLoader{0x14, "tool.iso"}));
}

/// What each word stands for, on every architecture it has a file for. Names: as `farboot loader
/// import` gives them.
TEST(DhcpRules, AWordStandsForTheFilesOfEachArchitecture) {
  struct Row {
    const char* word;
    std::uint16_t arch;
    const char* file;
  };
  constexpr Row kRows[] = {{"shim", 6, "shim/shimia32.efi"},
                           {"shim", 7, "shim/shimx64.efi"},
                           {"shim", 9, "shim/shimx64.efi"},
                           {"shim", 11, "shim/shimaa64.efi"},
                           {"grub", 6, "grub/grubia32.efi"},
                           {"grub", 7, "grub/grubx64.efi"},
                           {"grub", 9, "grub/grubx64.efi"},
                           {"grub", 11, "grub/grubaa64.efi"},
                           {"grub", 27, "grub/grubriscv64.efi"},
                           {"ipxe", 0, "undionly.kpxe"},
                           {"ipxe", 7, "snponly.efi"},
                           {"ipxe", 11, "snponly-arm64.efi"},
                           // What a family does not have is what the table has.
                           {"shim", 0, "undionly.kpxe"},
                           {"shim", 27, "snponly-riscv64.efi"}};
  for (const Row& row : kRows) {
    Packet request = golden_request("edk2_x64_discover");
    for (Option& option : request.options)
      if (option.code == code::kArchitecture)
        option.value = {0, static_cast<std::uint8_t>(row.arch)};
    Policy policy;
    policy.wish = [&row](const Mac&, const std::string&) {
      return ClientWish{.host = {}, .site = {.loaders = *parse_loaders(row.word)}};
    };
    EXPECT_EQ(told(decide(request, arrival_of(""), policy, every_loader())).packet.file, row.file)
        << row.word << " on " << row.arch;
  }
}

TEST(DhcpRules, AWordIsForOneArchitectureIfTheySaySo) {
  EXPECT_THAT(rules({"arch=7 loader=shim"})[0].what.loaders,
              ElementsAre(ArchLoader{7, "shim/shimx64.efi"}));
  EXPECT_THAT(rules({"arch=x64_uefi_http loader=shim"})[0].what.loaders,
              ElementsAre(ArchLoader{0x10, "shim/shimx64.efi"}));
  EXPECT_THAT(*parse_loaders("arm64_uefi=shim ipxe.efi"),
              ElementsAre(ArchLoader{11, "shim/shimaa64.efi"}, ArchLoader{7, "ipxe.efi"}));
  EXPECT_THAT(parse_client_rule("arch=bios loader=shim").error().what,
              HasSubstr("shim: there is none for bios"));
  EXPECT_THAT(parse_loaders("bios=grub").error().what, HasSubstr("grub: there is none for bios"));
}

TEST(DhcpRules, SayWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "want machines and what they get"},
      {"52:54:00", "52:54:00: want machines and what they get"},
      {"one_shot", "one_shot: want machines and what they get"},
      {"52:54:0 one_shot", "52:54:0: want a MAC or its first octets, arch="},
      {"52:54:00 oneshot", "oneshot: want a MAC"},
      {"arch=vax loader=a", "vax: want an architecture such as x64_uefi"},
      {"arch=42 loader=a", "42: want an architecture"},
      {"arch= loader=a", "want an architecture"},
      {"class= one_shot", "class=: the beginning of option 60 is missing"},
      {"52 loader=", "want the name of a boot loader"},
      {"52 loader=/etc/passwd", "/etc/passwd: want the name of a boot loader"},
      {"52 loader=a\\b", "want the name of a boot loader"},
      {"52 loader=" + std::string(201, 'x'), "want the name of a boot loader"}};
  for (const auto& [text, what] : rows) {
    const auto rule = parse_client_rule(text);
    ASSERT_FALSE(rule) << text;
    EXPECT_THAT(rule.error().what, HasSubstr(what)) << text;
  }
}

TEST(DhcpRules, DropNoWordInSilence) {
  std::string text = "loader=ipxe.efi";
  for (int i = 0; i < 40; ++i) text += fmt::format(" 52:54:00:00:00:{:02x}", i);
  const auto rule = parse_client_rule(text);
  ASSERT_FALSE(rule);
  EXPECT_THAT(rule.error().what, ::testing::HasSubstr("more than 32 words"));
  std::string loaders;
  for (int i = 0; i < 40; ++i) loaders += " ipxe.efi";
  EXPECT_FALSE(parse_loaders(loaders));
}

TEST(DhcpRules, ReadsTheLoadersOfTheFleet) {
  const auto read = parse_loaders("ipxe.efi arm64_uefi=ipxe-arm64.efi  0=undionly.kkpxe x.kpxe");
  ASSERT_TRUE(read);
  EXPECT_THAT(*read, ElementsAre(ArchLoader{7, "ipxe.efi"}, ArchLoader{11, "ipxe-arm64.efi"},
                                 ArchLoader{0, "undionly.kkpxe"}, ArchLoader{0, "x.kpxe"}));
  for (const char* wrong : {"", " ", "vax=a", "x64_uefi=", "=a", "/a", "a \x1b"})
    EXPECT_FALSE(parse_loaders(wrong)) << wrong;
  EXPECT_FALSE(parse_reply_style("BINL"));
}

// --- what they do

TEST(DhcpRules, GiveSomeMachinesAnotherLoader) {
  const Policy policy = ruled({"52:54:00 loader=ipxe.efi loader=ipxe.pxe"});
  EXPECT_EQ(file_for("edk2_x64_discover", policy), "ipxe.efi");
  EXPECT_EQ(file_for("edk2_x64_http_discover", policy), "http://10.77.0.2/ipxe.efi");
  EXPECT_EQ(file_for("intel_rom_discover", policy), "undionly.kpxe") << "another vendor's card";
  EXPECT_EQ(file_for("aavmf_arm64_discover", policy), "snponly-arm64.efi") << "x64's file hangs it";
  EXPECT_EQ(file_for("edk2_x64_discover", policy, FakeLoaders({"snponly.efi"})), "snponly.efi")
      << "what is not here is passed over";
}

TEST(DhcpRules, ByArchitectureAndClass) {
  const Policy policy = ruled({"arch=bios loader=ipxe.pxe", "class=HTTPClient loader=shimx64.efi"});
  EXPECT_EQ(file_for("intel_rom_discover", policy), "ipxe.pxe");
  EXPECT_EQ(file_for("edk2_x64_discover", policy), "snponly.efi");
  EXPECT_EQ(file_for("edk2_x64_http_discover", policy), "http://10.77.0.2/shimx64.efi");
  EXPECT_EQ(file_for("uefi_x64_as_ebc_discover", ruled({"arch=x64_uefi loader=ipxe.efi"})),
            "ipxe.efi")
      << "what the board means, not what it says";
}

TEST(DhcpRules, OfHttpBootAreForClientsThatBootSo) {
  for (const char* rule : {"arch=x64_uefi_http loader=http.efi", "arch=16 loader=http.efi"}) {
    const Policy policy = ruled({rule});
    EXPECT_EQ(file_for("edk2_x64_http_discover", policy), "http://10.77.0.2/http.efi") << rule;
    EXPECT_EQ(file_for("edk2_x64_discover", policy), "snponly.efi") << rule;
  }
  EXPECT_EQ(file_for("edk2_x64_http_discover", ruled({"arch=arm64_uefi_http loader=http.efi"})),
            "http://10.77.0.2/snponly.efi")
      << "another machine's";
  EXPECT_EQ(file_for("edk2_x64_http_discover", ruled({"arch=x64_uefi loader=both.efi"})),
            "http://10.77.0.2/both.efi");
}

TEST(DhcpRules, LeadSomeMachinesTheOtherWay) {
  const auto told_to = [](const Policy& policy) {
    return told(answer_to("edk2_x64_discover", policy));
  };
  EXPECT_EQ(told_to(ruled({"52:54 one_shot"})).reply.style, ReplyStyle::one_shot);
  EXPECT_EQ(to_hex(*told_to(ruled({"52:54 one_shot"})).packet.find(code::kVendorSpecific)),
            "060108ff");
  EXPECT_FALSE(told_to(ruled({"00:1b:21 one_shot"})).packet.find(code::kVendorSpecific));
  Policy policy = ruled({"52:54:00:00 binl", "52 one_shot"});
  policy.uefi_style = ReplyStyle::one_shot;
  EXPECT_FALSE(told_to(policy).packet.find(code::kVendorSpecific)) << "the first rule counts";
}

TEST(DhcpRules, LetOneRaspberryPiBoot) {
  const Policy policy = ruled({"dc:a6:32:aa:bb:cc raspberry_pi_rom"});
  EXPECT_EQ(told(answer_to("raspberry_pi4_rom_discover", policy)).reply.kind,
            ClientKind::raspberry_pi);
  EXPECT_EQ(silent(answer_to("raspberry_pi3_rom_discover", policy)), Why::raspberry_pi);
}

// --- who has the last word

TEST(DhcpWish, TheMoreExactWordCounts) {
  Policy policy = ruled({"arch=x64_uefi loader=rule.efi"});
  policy.wish = [](const Mac&, const std::string&) {
    return ClientWish{.host = {.loaders = {{7, "host.efi"}}},
                      .site = {.loaders = {{7, "site.efi"}}}};
  };
  const auto chosen = [&policy](const char* packet, const std::vector<std::string>& here) {
    return file_for(packet, policy, FakeLoaders(here));
  };
  const char* vmware = "vmware_uefi_discover";
  EXPECT_EQ(chosen(vmware, {"snponly.efi", "site.efi", "rule.efi", "host.efi"}), "host.efi");
  EXPECT_EQ(chosen(vmware, {"snponly.efi", "site.efi", "rule.efi"}), "rule.efi");
  EXPECT_EQ(chosen(vmware, {"snponly.efi", "site.efi"}), "snponly.efi") << "its quirk";
  EXPECT_EQ(chosen("edk2_x64_discover", {"snponly.efi", "site.efi"}), "site.efi");
  EXPECT_EQ(chosen("edk2_x64_discover", {"snponly.efi"}), "snponly.efi") << "the table";
}

TEST(DhcpWish, OfHttpBootComesBeforeThatOfTheArchitecture) {
  Policy policy;
  policy.wish = [](const Mac&, const std::string&) {
    return ClientWish{
        .host = {.loaders = *parse_loaders("x64_uefi=pxe.efi x64_uefi_http=http.efi")}, .site = {}};
  };
  EXPECT_EQ(file_for("edk2_x64_http_discover", policy), "http://10.77.0.2/http.efi");
  EXPECT_EQ(file_for("edk2_x64_discover", policy), "pxe.efi");
}

TEST(DhcpWish, TheStyleOfTheHostComesBeforeRulesAndTheSites) {
  Policy policy = ruled({"52:54:00 one_shot"});
  ClientWish wish;
  policy.wish = [&wish](const Mac&, const std::string&) { return wish; };
  const auto style = [&policy] { return told(answer_to("edk2_x64_discover", policy)).reply.style; };
  wish.site.uefi_style = ReplyStyle::binl;
  EXPECT_EQ(style(), ReplyStyle::one_shot) << "the rule";
  wish.host.uefi_style = ReplyStyle::binl;
  EXPECT_EQ(style(), ReplyStyle::binl) << "the host";
  policy.rules.clear();
  wish = {.host = {}, .site = {.uefi_style = ReplyStyle::one_shot}};
  EXPECT_EQ(style(), ReplyStyle::one_shot) << "the site, before the agent's own setting";
}

TEST(DhcpWish, IsAskedByMacAndUuid) {
  Policy policy;
  policy.wish = [](const Mac& mac, const std::string& uuid) {
    ClientWish wish;
    if (mac == *Mac::parse("00:1b:21:0a:0b:0c") && uuid == "34124d56-cdab-0100-1111-2222deadbeef")
      wish.host.loaders = {{0, "undionly.kkpxe"}};
    return wish;
  };
  EXPECT_EQ(file_for("intel_rom_discover", policy), "undionly.kkpxe");
}

}  // namespace
}  // namespace farboot::dhcp
