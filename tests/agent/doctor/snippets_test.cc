#include "agent/doctor/snippets.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

namespace farboot::doctor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Only final : public dhcp::LoaderSet {
 public:
  explicit Only(std::vector<std::string> names) : names_(std::move(names)) {}
  bool loader_exists(std::string_view name) const override {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }

 private:
  std::vector<std::string> names_;
};

/// Of the documentation: an agent at 10.4.0.2 with every loader.
SnippetFacts facts() { return snippet_facts(Ipv4::of(10, 4, 0, 2), {}, nullptr); }

std::string text_of(std::string_view kind, const SnippetFacts& of) {
  const auto text = snippet(kind, of);
  EXPECT_TRUE(text) << text.error().what;
  return text ? *text : std::string();
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

/// What a program says of a file, if it is not content.
std::string refusal(const std::string& command) {
  std::string said;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> piece;
  while (pipe != nullptr && std::fgets(piece.data(), piece.size(), pipe) != nullptr)
    said += piece.data();
  const int status = pipe == nullptr ? -1 : ::pclose(pipe);
  return status == 0 ? std::string() : said + "\nstatus " + std::to_string(status);
}

/// A program that ./dev deps unpacked; empty: it did not come.
std::string unpacked(const std::string& program) {
  const auto path = std::filesystem::path("build/peers/usr/sbin") / program;
  if (!std::filesystem::exists(path)) return {};
  return "LD_LIBRARY_PATH=build/peers/usr/lib/x86_64-linux-gnu " + path.string();
}

TEST(Snippets, AreInTheDocumentation) {
  const std::string page = golden::read_text("docs/dhcp.md");
  for (const std::string_view kind : snippet_kinds()) {
    const std::string text = text_of(kind, facts());
    EXPECT_THAT(page, HasSubstr("--snippet " + std::string(kind)));
    EXPECT_THAT(page, HasSubstr("```\n" + text + "```\n"))
        << kind << ": docs/dhcp.md must hold what the program prints:\n"
        << text;
  }
}

TEST(Snippets, NameOurAddressPortAndLoaders) {
  SnippetFacts other = facts();
  other.address = Ipv4::of(192, 168, 7, 9);
  other.http_port = 8080;
  other.bios = "b.kpxe", other.uefi_x64 = "x.efi", other.uefi_ia32 = "i.efi",
  other.uefi_arm64 = "a.efi", other.http_x64 = "x.efi";
  for (const std::string_view kind : {"dnsmasq", "isc", "kea", "openwrt"}) {
    SCOPED_TRACE(kind);
    const std::string text = text_of(kind, other);
    for (const char* part : {"192.168.7.9", "http://192.168.7.9:8080/boot.ipxe", "b.kpxe", "x.efi",
                             "i.efi", "a.efi", "http://192.168.7.9:8080/x.efi", "HTTPClient"})
      EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(text, Not(HasSubstr("10.4.0.2")));
  }
  for (const std::string_view kind : {"cisco", "h3c"}) {
    SCOPED_TRACE(kind);
    EXPECT_THAT(text_of(kind, other), HasSubstr(" next-server 192.168.7.9\n"));
    EXPECT_THAT(text_of(kind, other), HasSubstr(" x.efi\n"));
  }
}

TEST(Snippets, NameOnlyWhatTheReleaseHolds) {
  const Only debian12({"undionly.kpxe", "ipxe.efi"});
  const SnippetFacts held = snippet_facts(Ipv4::of(10, 4, 0, 2), {}, &debian12);
  for (const std::string_view kind : snippet_kinds()) {
    SCOPED_TRACE(kind);
    const std::string text = text_of(kind, held);
    EXPECT_THAT(text, HasSubstr("ipxe.efi"));
    for (const char* absent : {"snponly", "arm64", "ia32"})
      EXPECT_THAT(text, Not(HasSubstr(absent)));
  }
}

/// As proxyDHCP would: the site's words, then rules for machines of a kind; not those for some.
SnippetFacts facts_where(std::string_view site_loader, std::string_view rule,
                         const dhcp::LoaderSet& loaders) {
  dhcp::Policy policy;
  policy.wish = [words = std::string(site_loader)](const Mac&, const std::string&) {
    dhcp::ClientWish wish;
    if (!words.empty()) wish.site.loaders = *dhcp::parse_loaders(words);
    return wish;
  };
  if (!rule.empty()) policy.rules = {*dhcp::parse_client_rule(rule)};
  EXPECT_TRUE(policy.denied.add("02:fb")) << "a list of machines changes no line";
  return snippet_facts(Ipv4::of(10, 4, 0, 2), policy, &loaders);
}

const Only kWithShim({"undionly.kpxe", "snponly.efi", "snponly-arm64.efi", "shim/shimx64.efi",
                      "grub/grubx64.efi"});

TEST(Snippets, NameWhatTheSiteWants) {
  const SnippetFacts shim = facts_where("shim", "", kWithShim);
  EXPECT_EQ(shim.bios, "undionly.kpxe");
  EXPECT_EQ(shim.uefi_ia32, "");
  EXPECT_EQ(shim.uefi_x64, "shim/shimx64.efi");
  EXPECT_EQ(shim.uefi_arm64, "snponly-arm64.efi") << "there is no shim for it here";
  EXPECT_EQ(shim.http_x64, "shim/shimx64.efi");
  EXPECT_EQ(shim.http_arm64, "snponly-arm64.efi");
  const SnippetFacts http = facts_where("x64_uefi_http=shim", "", kWithShim);
  EXPECT_EQ(http.uefi_x64, "snponly.efi");
  EXPECT_EQ(http.http_x64, "shim/shimx64.efi");
  EXPECT_EQ(facts_where("shim", "arch=x64_uefi loader=grub", kWithShim).uefi_x64,
            "grub/grubx64.efi");
  EXPECT_EQ(facts_where("", "52:54:00 loader=shim", kWithShim).uefi_x64, "snponly.efi");
}

TEST(Snippets, LeadFirmwareToShim) {
  const SnippetFacts shim = facts_where("shim", "", kWithShim);
  EXPECT_THAT(text_of("dnsmasq", shim),
              AllOf(HasSubstr("tag:farboot-x64,shim/shimx64.efi,10.4.0.2,10.4.0.2\n"),
                    HasSubstr("tag:farboot-http-x64,http://10.4.0.2/shim/shimx64.efi,")));
  EXPECT_THAT(text_of("openwrt", shim), HasSubstr("tag:farboot-x64,shim/shimx64.efi,10.4.0.2,"));
  EXPECT_THAT(text_of("isc", shim), HasSubstr("  filename \"shim/shimx64.efi\";\n"));
  EXPECT_THAT(text_of("kea", shim), HasSubstr("\"boot-file-name\": \"shim/shimx64.efi\"}"));
  for (const char* const kind : {"cisco", "h3c"})
    EXPECT_THAT(text_of(kind, shim),
                AllOf(HasSubstr("next-server 10.4.0.2\n"), HasSubstr(" shim/shimx64.efi\n"),
                      HasSubstr(" shim/shimx64.efi is for Secure Boot"),
                      HasSubstr("BIOS machines: undionly.kpxe.\n"),
                      HasSubstr("answers with its script. No option 60")));
}

TEST(Snippets, SayOfEachLoaderOnlyWhatItDoes) {
  SnippetFacts only = facts_where("grub", "", kWithShim);
  ASSERT_EQ(only.uefi_x64, "grub/grubx64.efi");
  EXPECT_THAT(text_of("cisco", only), HasSubstr("answers with its script")) << "BIOS has iPXE";
  only.bios.clear(), only.uefi_arm64.clear();
  for (const char* const kind : {"cisco", "h3c"})
    EXPECT_THAT(text_of(kind, only),
                AllOf(HasSubstr(" grub/grubx64.efi\n"), Not(HasSubstr("iPXE")),
                      Not(HasSubstr("Secure Boot")), HasSubstr(" No option 60 and no option 43")));
  only.uefi_x64 = "shim/shimx64.efi";
  for (const char* const kind : {"cisco", "h3c"})
    EXPECT_THAT(text_of(kind, only), AllOf(HasSubstr("Secure Boot"), Not(HasSubstr("iPXE")),
                                           HasSubstr(" No option 60 and no option 43")));
}

TEST(Snippets, HoldNoNameThatCouldMeanMore) {
  for (const char* const name : {"a b.efi", "x.efi\nevil", "a\"b", "a'b", "a,b", "a$b", "a;b", "ä"})
    for (const std::string_view kind : snippet_kinds()) {
      SCOPED_TRACE(fmt::format("{} {}", kind, name));
      SnippetFacts odd = facts();
      odd.uefi_x64 = odd.http_x64 = name;
      const std::string text = text_of(kind, odd);
      EXPECT_THAT(text, AllOf(Not(HasSubstr(name)), HasSubstr("undionly.kpxe"),
                              HasSubstr(" UEFI machines: left out, for their loader's name")));
      EXPECT_THAT(text, Not(HasSubstr("snponly.efi")));
    }
  SnippetFacts none = facts();
  none.bios = none.uefi_ia32 = none.uefi_x64 = none.uefi_arm64 = "a b";
  for (const char* const kind : {"cisco", "h3c"})
    EXPECT_THAT(text_of(kind, none),
                AllOf(HasSubstr("There is no boot loader to name.\n"), Not(HasSubstr("bootfile"))));
}

TEST(Snippets, SaysWhichKindsThereAre) {
  const auto none = snippet("windows", facts());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_THAT(none.error().what, HasSubstr("dnsmasq, isc, kea, openwrt, cisco, h3c"));
}

/// With every loader, with the few of Debian 12, with shim.
std::vector<SnippetFacts> all_facts() {
  SnippetFacts few = facts();
  few.uefi_ia32.clear(), few.uefi_arm64.clear(), few.http_arm64.clear();
  few.http_port = 8080;
  SnippetFacts odd = facts();
  odd.uefi_x64 = odd.http_x64 = "a\"b.efi";
  return {facts(), few, facts_where("shim", "", kWithShim), odd};
}

class SnippetsForPrograms : public testing::Test {
 protected:
  TempFolder folder_;
};

TEST_F(SnippetsForPrograms, DnsmasqTakesThem) {
  const auto path = folder_ / "dnsmasq.conf";
  const auto refused = [&](const std::string& text) {
    write(path, text);
    return refusal("/usr/sbin/dnsmasq --test --conf-file=" + path.string());
  };
  if (refused("no-resolv\n").find("not found") != std::string::npos)
    GTEST_SKIP() << "no dnsmasq here; ./dev deps demo installs it";
  ASSERT_EQ(refused("no-resolv\n"), "");
  ASSERT_NE(refused("dhcp-boot=tag\nfarboot\n"), "") << "it would take anything";
  for (const SnippetFacts& each : all_facts()) {
    EXPECT_EQ(refused(text_of("dnsmasq", each)), "");
    // What the shell of the router writes to its file.
    const std::string openwrt = text_of("openwrt", each);
    const auto begin = openwrt.find("<<'FARBOOT'\n") + 12, end = openwrt.rfind("FARBOOT\n");
    EXPECT_EQ(refused(openwrt.substr(begin, end - begin)), "");
  }
}

TEST_F(SnippetsForPrograms, IscDhcpdTakesThem) {
  const std::string dhcpd = unpacked("dhcpd");
  if (dhcpd.empty()) GTEST_SKIP() << "./dev deps unpacks isc-dhcp-server";
  const auto path = folder_ / "dhcpd.conf";
  write(folder_ / "leases", "");
  const auto refused = [&](const std::string& text) {
    write(path, text + "subnet 10.4.0.0 netmask 255.255.255.0 { range 10.4.0.100 10.4.0.199; }\n");
    return refusal(dhcpd + " -t -cf " + path.string() + " -lf " + (folder_ / "leases").string());
  };
  ASSERT_EQ(refused(""), "");
  ASSERT_NE(refused("if option user-class = 00:0g { filename \"x\"; }\n"), "")
      << "it would take anything";
  for (const SnippetFacts& each : all_facts()) EXPECT_EQ(refused(text_of("isc", each)), "");
}

TEST_F(SnippetsForPrograms, KeaTakesThem) {
  const std::string kea = unpacked("kea-dhcp4");
  if (kea.empty()) GTEST_SKIP() << "./dev deps unpacks kea-dhcp4-server";
  const auto path = folder_ / "kea.conf";
  const auto refused = [&](const std::string& text) {
    write(path,
          "{ \"Dhcp4\": {\n\"interfaces-config\": { \"interfaces\": [] },\n"
          "\"lease-database\": { \"type\": \"memfile\", \"persist\": false },\n"
          "\"subnet4\": [ { \"subnet\": \"10.4.0.0/24\" } ],\n" +
              text + "} }\n");
    return refusal(kea + " -t " + path.string());
  };
  ASSERT_EQ(refused("\"client-classes\": [ { \"name\": \"a\" } ]\n"), "");
  ASSERT_NE(refused("\"client-classes\": [ { \"name\": \"a\", \"test\": \"option[93\" } ]\n"), "")
      << "it would take anything";
  for (const SnippetFacts& each : all_facts()) EXPECT_EQ(refused(text_of("kea", each)), "");
}

}  // namespace
}  // namespace farboot::doctor
