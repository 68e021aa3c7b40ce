#include "agent/dhcp/describe.h"

#include <gtest/gtest.h>

#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

TEST(DhcpDescribe, SaysWhatDriverInterfaceItHas) {
  EXPECT_EQ(undi_text(golden_request("intel_rom_discover")), "2.1");
  EXPECT_EQ(undi_text(golden_request("edk2_x64_discover")), "3.0");
  EXPECT_EQ(undi_text(golden_request("dhclient_discover")), "none");
  Packet request = golden_request("intel_rom_discover");
  for (Option& option : request.options)
    if (option.code == code::kUndiVersion) option.value = {1};
  EXPECT_EQ(undi_text(request), "none");
}

TEST(DhcpDescribe, SaysWhichIpxeItIs) {
  EXPECT_EQ(ipxe_text(golden_request("flexboot_discover")), "1.21.1");
  EXPECT_EQ(ipxe_text(golden_request("intel_rom_discover")), "none");
}

TEST(DhcpDescribe, NamesTheArchitecturesItLists) {
  EXPECT_EQ(arch_text(golden_request("arch_list_discover")), "1/pc98,7/x64_uefi");
  EXPECT_EQ(arch_text(golden_request("dhclient_discover")), "none");
  EXPECT_EQ(arch_text(listing({99})), "99");
  EXPECT_EQ(arch_text(listing({0, 0, 0, 0, 0})), "0/bios,0/bios,0/bios,0/bios,...");
}

}  // namespace
}  // namespace farboot::dhcp
