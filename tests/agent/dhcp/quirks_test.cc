// Every row of the table: the firmware it is for is told what it wants, and would not be without.
#include "agent/dhcp/quirks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>

#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

/// What a decision comes to, for people and to compare.
std::string outcome(const Decision& decision) {
  if (const auto* silence = std::get_if<Silence>(&decision))
    return "silent: " + std::string(to_string(silence->why));
  const auto [reply, packet] = told(decision);
  const auto vendor = packet.find(code::kVendorSpecific);
  return std::string(to_string(reply.kind)) + ": " + packet.file +
         (vendor ? " 43=" + to_hex(*vendor) : "");
}

std::string quirk_of(const Decision& decision) {
  if (const auto* silence = std::get_if<Silence>(&decision)) return std::string(silence->quirk);
  return std::string(std::get<Reply>(decision).quirk);
}

struct QuirkCase {
  std::string quirk;
  std::string packet;   ///< in tests/golden/dhcp
  std::string with;     ///< the outcome
  std::string without;  ///< the outcome if the row were not there

  friend std::ostream& operator<<(std::ostream& out, const QuirkCase& row) {
    return out << row.quirk;
  }
};

const std::vector<QuirkCase> kEveryQuirk = {
    {"pi_arch41", "raspberry_pi_arch41_discover",
     "raspberry_pi:  43=0601030a0400505845091400001152617370626572727920506920426f6f74ff",
     "silent: no_loader"},
    {"pi4_rom", "raspberry_pi4_other_card_discover",
     "raspberry_pi:  43=0601030a0400505845091400001152617370626572727920506920426f6f74ff",
     "bios: undionly.kpxe 43=060108ff"},
    {"pi3_rom", "raspberry_pi3_rom_discover",  // three blanks more
     "raspberry_pi:  43=0601030a0400505845091700001452617370626572727920506920426f6f74202020ff",
     "bios: undionly.kpxe 43=060108ff"},
    {"pi_rom", "raspberry_pi_blank_guid_discover",
     "raspberry_pi:  43=0601030a0400505845091400001152617370626572727920506920426f6f74ff",
     "bios: undionly.kpxe 43=060108ff"},
    {"x64_as_ebc", "uefi_x64_as_ebc_discover", "uefi: ipxe.efi", "silent: no_loader"},
    {"vmware_uefi", "vmware_uefi_discover", "uefi: snponly.efi", "uefi: ipxe.efi"},
    {"hyperv_gen2", "hyperv_gen2_discover", "uefi: ipxe.efi", "uefi: ipxe.efi"},  // named only
    {"virtualbox_rom", "virtualbox_ipxe_discover",
     "ipxe_limited: tftp://10.77.0.2/full-ipxe/ipxe.pxe",
     "ipxe_limited: tftp://10.77.0.2/full-ipxe/undionly.kpxe"},
    {"flexboot", "flexboot_discover", "ipxe: http://10.77.0.2/boot.ipxe",
     "ipxe: http://10.77.0.2/boot.ipxe"},  // named only
    {"mac_bsdp", "mac_bsdp_inform", "silent: firmware", "silent: message_type"},
    {"uboot_class", "uboot_class_discover", "silent: firmware", "silent: not_pxe"},
};

/// A site that answers Pis and would rather have native drivers.
Policy policy_with(std::span<const Quirk> quirks) {
  Policy policy;
  policy.quirks = quirks;
  policy.raspberry_pi_roms = true;
  for (LoaderRow& row : policy.loaders)
    if (row.arch == 7) row.names = {"ipxe.efi", "snponly.efi"};
  return policy;
}

class DhcpQuirk : public testing::TestWithParam<QuirkCase> {};

TEST_P(DhcpQuirk, IsWhatItsFirmwareIsToldBy) {
  const QuirkCase& row = GetParam();
  const Decision decision = answer_to(row.packet, policy_with(every_quirk()));
  EXPECT_EQ(quirk_of(decision), row.quirk);
  EXPECT_EQ(outcome(decision), row.with);
}

TEST_P(DhcpQuirk, MakesTheDifference) {
  const QuirkCase& row = GetParam();
  std::vector<Quirk> others;
  std::copy_if(every_quirk().begin(), every_quirk().end(), std::back_inserter(others),
               [&row](const Quirk& quirk) { return quirk.name != row.quirk; });
  ASSERT_EQ(others.size() + 1, every_quirk().size());
  const Decision decision = answer_to(row.packet, policy_with(others));
  EXPECT_EQ(quirk_of(decision), "");
  EXPECT_EQ(outcome(decision), row.without);
}

INSTANTIATE_TEST_SUITE_P(Every, DhcpQuirk, testing::ValuesIn(kEveryQuirk),
                         [](const auto& row) { return row.param.quirk; });

TEST(DhcpQuirks, AreAllTriedAndExplained) {
  std::ifstream in("docs/dhcp.md");
  const std::string docs{std::istreambuf_iterator<char>(in), {}};
  ASSERT_EQ(every_quirk().size(), kEveryQuirk.size());
  for (std::size_t i = 0; i < kEveryQuirk.size(); ++i) {
    const Quirk& quirk = every_quirk()[i];
    EXPECT_EQ(quirk.name, kEveryQuirk[i].quirk);
    EXPECT_NE(docs.find("| `" + std::string(quirk.name) + "` |"), std::string::npos) << quirk.name;
    // Its loaders are for the architecture it names, and none else.
    EXPECT_TRUE(quirk.loaders.empty() || quirk.who.arch) << quirk.name;
  }
}

TEST(DhcpQuirks, OrdinaryMachinesHaveNone) {
  for (const char* name : {"intel_rom_discover", "edk2_x64_discover", "aavmf_arm64_discover",
                           "qemu_bios_ipxe_discover", "edk2_x64_http_discover"})
    EXPECT_EQ(quirk_of(answer_to(name)), "") << name;
  EXPECT_EQ(quirk_of(answer_to("dhclient_discover")), "");
}

TEST(DhcpQuirks, TheLoadersOfARowAreForItsArchitectureOnly) {
  Packet request = golden_request("vmware_uefi_discover");
  for (Option& option : request.options)
    if (option.code == code::kArchitecture) option.value = {0, 7, 0, 11};
  const auto other =
      told(decide(request, arrival_of(""), {}, FakeLoaders({"snponly-arm64.efi"}))).reply;
  EXPECT_EQ(other.boot_file, "snponly-arm64.efi");
  EXPECT_EQ(other.quirk, "") << "it is taken for the other architecture";
  for (Option& option : request.options)
    if (option.code == code::kArchitecture) option.value = {0, 11};
  EXPECT_EQ(silent(decide(request, arrival_of(""), {}, FakeLoaders({"snponly.efi"}))),
            Why::no_loader);
  for (Option& option : request.options)
    if (option.code == code::kArchitecture) option.value = {0, 11, 0, 7};
  EXPECT_EQ(told(decide(request, arrival_of(""), {}, every_loader())).packet.file,
            "snponly-arm64.efi");
}

}  // namespace
}  // namespace farboot::dhcp
