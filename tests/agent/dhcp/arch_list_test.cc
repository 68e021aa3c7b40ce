// Option 93 is a list, in the order the client would have it (RFC 4578 §2.1, RFC 5970 §3.3).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/dhcp/classify.h"
#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

using testing::ElementsAre;

struct ArchList {
  std::vector<std::uint16_t> listed;
  std::vector<std::uint16_t> archs;  ///< as we take them
  ClientKind kind;
};

TEST(DhcpArchList, TheFirstThatAnythingStartsComesFirst) {
  const std::vector<ArchList> rows = {
      {{0}, {0}, ClientKind::bios},
      {{7}, {7}, ClientKind::uefi},
      {{6, 7}, {6, 7}, ClientKind::uefi},  // its own order counts
      {{7, 6}, {7, 6}, ClientKind::uefi},
      {{0, 7}, {0, 7}, ClientKind::bios},
      {{99, 7}, {7}, ClientKind::uefi},  // nobody knows 99
      {{99, 0}, {0}, ClientKind::bios},
      {{1, 0}, {0, 1}, ClientKind::bios},  // nothing starts PC-98
      {{1, 7, 0}, {7, 0, 1}, ClientKind::uefi},
      {{7, 9}, {7, 9}, ClientKind::uefi},
      {{9, 0}, {7, 0}, ClientKind::uefi},  // its quirk says what 9 means
      {{7, 7, 7}, {7}, ClientKind::uefi},
      {{99}, {99}, ClientKind::uefi},
      {{99, 98}, {99}, ClientKind::uefi},
      {{0x29}, {0x29}, ClientKind::raspberry_pi},
      {{0, 0x29}, {0x29, 0}, ClientKind::raspberry_pi},
      {{0x29, 0}, {0x29, 0}, ClientKind::raspberry_pi},
      {{11, 0x29}, {0x29, 11}, ClientKind::raspberry_pi}};
  for (const ArchList& row : rows) {
    const Client client = classify(listing(row.listed));
    EXPECT_EQ(client.archs, row.archs) << testing::PrintToString(row.listed);
    EXPECT_EQ(client.kind, row.kind) << testing::PrintToString(row.listed);
  }
}

TEST(DhcpArchList, OfHttpBootIsThatOfTheMachine) {
  const char* http = "edk2_x64_http_discover";
  EXPECT_THAT(classify(listing({16}, http)).archs, ElementsAre(7));
  EXPECT_THAT(classify(listing({99, 19, 16}, http)).archs, ElementsAre(11, 7));
  EXPECT_THAT(classify(listing({16, 7}, http)).archs, ElementsAre(7));
}

TEST(DhcpArchList, IsNeverLongerThanTheTable) {
  std::vector<std::uint16_t> all;
  for (std::uint16_t i = 0; i < 700; ++i) all.push_back(i);
  EXPECT_EQ(classify(listing(all)).archs.size(), architectures().size());
}

TEST(DhcpArchList, ARomThatListsThePisNumberIsOne) {
  Policy policy;
  EXPECT_EQ(silent(decide(listing({0, 0x29}), arrival_of(""), policy, every_loader())),
            Why::raspberry_pi);
  policy.raspberry_pi_roms = true;
  EXPECT_EQ(told(decide(listing({0, 0x29}), arrival_of(""), policy, every_loader())).packet.file,
            "");
}

TEST(DhcpArchList, RulesAndQuirksLookAtWhatIsStarted) {
  Policy policy;
  policy.rules.push_back(*parse_client_rule("arch=x64_uefi loader=mine.efi"));
  EXPECT_EQ(told(decide(listing({1, 7}), arrival_of(""), policy, every_loader())).packet.file,
            "mine.efi");
  const Packet vmware = listing({99, 7}, "vmware_uefi_discover");
  EXPECT_EQ(told(decide(vmware, arrival_of(""), {}, every_loader())).reply.quirk, "vmware_uefi");
}

Decision with_loaders(const Packet& request, const std::vector<std::string>& here,
                      const Policy& policy = {}) {
  return decide(request, arrival_of(""), policy, FakeLoaders(here));
}

TEST(DhcpArchList, TheNextIsTakenWhereTheFirstHasNoLoaderHere) {
  EXPECT_EQ(
      told(with_loaders(listing({7, 6}), {"snponly-i386.efi", "snponly-arm64.efi"})).packet.file,
      "snponly-i386.efi");
  EXPECT_EQ(told(with_loaders(listing({7, 6}), {"snponly-i386.efi", "snponly.efi"})).packet.file,
            "snponly.efi")
      << "its own order counts";
  EXPECT_EQ(silent(with_loaders(listing({7, 6}), {"undionly.kpxe"})), Why::no_loader);
  EXPECT_EQ(silent(with_loaders(listing({99, 7}), {})), Why::no_loader);
  EXPECT_EQ(silent(with_loaders(listing({99}), {})), Why::unknown_arch);
}

TEST(DhcpArchList, TheAnswerIsOfTheKindThatIsTaken) {
  const Told uefi = told(with_loaders(listing({0, 7}), {"snponly.efi"}));
  EXPECT_EQ(uefi.packet.file, "snponly.efi");
  EXPECT_EQ(uefi.reply.kind, ClientKind::uefi);
  EXPECT_FALSE(uefi.packet.find(code::kVendorSpecific)) << "it would lead UEFI firmware astray";
  const Told bios = told(with_loaders(listing({7, 0}), {"undionly.kpxe"}));
  EXPECT_EQ(bios.reply.kind, ClientKind::bios);
  EXPECT_TRUE(bios.packet.find(code::kVendorSpecific));
  const Packet vmware = listing({0, 7}, "vmware_uefi_discover");
  EXPECT_EQ(told(with_loaders(vmware, {"snponly.efi"})).reply.quirk, "vmware_uefi");
}

TEST(DhcpArchList, OfHttpBootGoesOnToo) {
  const Packet request = listing({20, 19, 16}, "edk2_x64_http_discover");
  EXPECT_EQ(told(with_loaders(request, {"undionly.kpxe", "snponly.efi"})).packet.file,
            "http://10.77.0.2/snponly.efi");
}

TEST(DhcpArchList, OperatorsLoadersCountForEachOne) {
  Policy policy;
  policy.rules = {*parse_client_rule("arch=pc98 loader=pc98.bin"),
                  *parse_client_rule("arch=ia32_uefi loader=mine.efi one_shot")};
  const std::vector<std::string> here = {"pc98.bin", "mine.efi", "snponly.efi"};
  EXPECT_EQ(told(with_loaders(listing({1, 7}), here, policy)).packet.file, "pc98.bin")
      << "our table has none for it";
  EXPECT_EQ(told(with_loaders(listing({7, 1}), here, policy)).packet.file, "snponly.efi");
  const Told second = told(with_loaders(listing({11, 6}), here, policy));
  EXPECT_EQ(second.packet.file, "mine.efi");
  EXPECT_EQ(second.reply.style, ReplyStyle::one_shot);
  EXPECT_EQ(told(with_loaders(listing({7, 6}), here, policy)).reply.style, ReplyStyle::binl)
      << "the rule is for the other one";
  EXPECT_EQ(told(with_loaders(listing({1, 6}), {"mine.efi"}, policy)).packet.file, "mine.efi")
      << "the first one's rule names a file that is not here";
}

TEST(DhcpArchList, WhatTheFleetWantsForAHostCountsForEachOne) {
  Policy policy;
  int asked = 0;
  policy.wish = [&asked](const Mac&, const std::string&) {
    ++asked;
    return ClientWish{.host = {.loaders = {{.arch = 6, .name = "host.efi"}}}, .site = {}};
  };
  EXPECT_EQ(told(with_loaders(listing({7, 6}), {"host.efi"}, policy)).packet.file, "host.efi");
  EXPECT_EQ(asked, 1) << "per packet";
}

}  // namespace
}  // namespace farboot::dhcp
