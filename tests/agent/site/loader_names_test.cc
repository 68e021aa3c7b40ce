#include "agent/site/loader_names.h"

#include <set>

#include <gtest/gtest.h>

#include "agent/dhcp/decide.h"

namespace farboot {
namespace {

TEST(LoaderNames, KnowsEveryIpxeThatDhcpNames) {
  for (const auto& row : dhcp::default_loaders())
    for (const std::string& name : row.names) EXPECT_TRUE(is_ipxe_loader(name)) << name;
  for (const auto& quirk : dhcp::every_quirk())
    for (const std::string_view name : quirk.loaders) EXPECT_TRUE(is_ipxe_loader(name)) << name;
  EXPECT_TRUE(is_ipxe_loader("efi/x64/IPXE.EFI"));
  EXPECT_TRUE(is_ipxe_loader("ipxe-shimx64.efi"));
  EXPECT_TRUE(is_ipxe_loader("undionly.0"));
}

TEST(LoaderNames, TakesNothingElseForIpxe) {
  for (const char* name :
       {"grubx64.efi", "shimx64.efi", "boot.ipxe", "ipxe.ipxe", "autoexec.ipxe", "ipxe.cfg", "ipxe",
        "ipxe/grubx64.efi", "pxelinux.0", "vmlinuz", "", "memtest.efi"})
    EXPECT_FALSE(is_ipxe_loader(name)) << name;
}

std::string meant(std::string_view path, std::string_view second_stage = "grubx64.efi") {
  const std::set<std::string, std::less<>> files{"shimx64.efi", "arm/shimaa64.efi", "bare/x.efi"};
  return garbled_second_stage(path, second_stage,
                              [&files](std::string_view name) { return files.contains(name); })
      .value_or("");
}

TEST(LoaderNames, KnowsWhatAShimMeantByGarbage) {
  EXPECT_EQ(meant("?USB"), "grubx64.efi");
  EXPECT_EQ(meant("\xc4\xa3Onboard NIC"), "grubx64.efi");
  EXPECT_EQ(meant("Onboard NIC (IPV4)"), "grubx64.efi");
  EXPECT_EQ(meant("\x86\xff\x03x"), "grubx64.efi");
  EXPECT_EQ(meant("rubx64.efi"), "grubx64.efi");
  EXPECT_EQ(meant("arm/?USB", "grubaa64.efi"), "arm/grubaa64.efi");
}

TEST(LoaderNames, LeavesOtherNamesAlone) {
  EXPECT_EQ(meant("grubx64.efi"), "");
  EXPECT_EQ(meant("revocations_sbat.efi"), "");
  EXPECT_EQ(meant("shim_certificate_0.efi"), "");
  EXPECT_EQ(meant("bare/?USB"), "") << "no shim there";
  EXPECT_EQ(meant("none/?USB"), "");
  EXPECT_EQ(meant("?USB", ""), "");
}

}  // namespace
}  // namespace farboot
