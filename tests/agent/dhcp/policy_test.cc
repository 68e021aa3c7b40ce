#include "agent/dhcp/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/agent/dhcp/samples.h"

namespace farboot::dhcp {
namespace {

using testing::HasSubstr;

ClientList list(const std::vector<std::string>& entries) {
  ClientList made;
  for (const std::string& entry : entries) {
    const auto added = made.add(entry);
    EXPECT_TRUE(added) << added.error().what;
  }
  return made;
}

TEST(DhcpPolicy, DeniesMacsThatBeginSo) {
  Policy policy;
  policy.denied = list({"52:54:00"});
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), Why::denied);
  EXPECT_EQ(silent(answer_to("intel_rom_discover", policy)), std::nullopt);
}

TEST(DhcpPolicy, AnswersOnlyWhatIsAllowedIfThereIsAList) {
  Policy policy;
  policy.allowed = list({"00:1b:21:0a:0b:0c"});
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), Why::denied);
  EXPECT_EQ(silent(answer_to("intel_rom_discover", policy)), std::nullopt);
  policy.denied = list({"00:1b:21"});
  EXPECT_EQ(silent(answer_to("intel_rom_discover", policy)), Why::denied) << "denied comes first";
}

TEST(DhcpPolicy, LeavesMachinesToTheAgentThatIsToInstallThem) {
  Policy policy;
  policy.elsewhere = [](const Mac& mac, const std::string& uuid) {
    return mac == *Mac::parse("52:54:00:00:00:02") ||
           uuid == "34124d56-cdab-0100-1111-2222deadbeef";
  };
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), Why::elsewhere);
  EXPECT_EQ(silent(answer_to("edk2_x64_4011_request", policy)), Why::elsewhere);
  EXPECT_EQ(silent(answer_to("intel_rom_discover", policy)), Why::elsewhere) << "by its UUID";
  EXPECT_EQ(silent(answer_to("qemu_bios_ipxe_discover", policy)), std::nullopt);
}

TEST(DhcpPolicy, DeniesByTheNetworkOfTheRelay) {
  Policy policy;
  policy.denied = list({"10.99.0.0/24"});
  EXPECT_EQ(silent(answer_to("relayed_uefi_x64_discover", policy)), Why::denied);
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), std::nullopt) << "it is on our own";
  policy.denied = list({"10.77.0.0/24"});
  EXPECT_EQ(silent(answer_to("relayed_uefi_x64_discover", policy)), std::nullopt)
      << "our own network is not the client's";
}

TEST(DhcpPolicy, DeniesByTheNetworkOfTheInterface) {
  Policy policy;
  policy.denied = list({"10.77.0.0/24"});
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), Why::denied);
  policy.denied = list({"10.77.0.128/25"});
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), std::nullopt);
}

TEST(DhcpPolicy, DeniesByTheNetworkOf4011sSource) {
  Policy policy;
  policy.denied = list({"10.77.0.80/29"});  // 10.77.0.86 asks, 10.77.0.2 are we
  Packet request = golden_request("edk2_x64_4011_request");
  request.ciaddr = {};  // ROMs leave it out
  EXPECT_EQ(silent(decide(request, arrival_of("edk2_4011_"), policy, every_loader())), Why::denied);
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), std::nullopt);
}

TEST(DhcpPolicy, AClientThatHasAnAddressIsInItsNetwork) {
  Policy policy;
  policy.allowed = list({"10.88.0.0/16"});
  Packet request = golden_request("edk2_x64_discover");
  EXPECT_EQ(silent(decide(request, arrival_of(""), policy, every_loader())), Why::denied);
  request.ciaddr = Ipv4::of(10, 88, 3, 4);
  EXPECT_EQ(silent(decide(request, arrival_of(""), policy, every_loader())), std::nullopt);
}

TEST(DhcpPolicy, DeniesAndAllowsByUuid) {
  // As the operator's tools print it, in whatever case; on the wire its beginning is turned round.
  Policy policy;
  policy.denied = list({"34124D56-CDAB-0100-1111-2222DEADBEEF"});
  EXPECT_EQ(silent(answer_to("intel_rom_discover", policy)), Why::denied);
  EXPECT_EQ(silent(answer_to("edk2_x64_discover", policy)), std::nullopt);
  policy.allowed = std::exchange(policy.denied, {});
  EXPECT_EQ(silent(answer_to("intel_rom_discover", policy)), std::nullopt);
  Packet nameless = golden_request("intel_rom_discover");
  std::erase_if(nameless.options, [](const Option& o) { return o.code == code::kMachineGuid; });
  EXPECT_EQ(silent(decide(nameless, arrival_of(""), policy, every_loader())), Why::denied)
      << "who does not say its UUID is not on the list";
}

TEST(DhcpPolicy, TheWholeInternetIsANetworkToo) {
  EXPECT_TRUE(list({"0.0.0.0/0"}).holds({.mac = {}, .network = Ipv4::of(8, 8, 8, 8), .uuid = {}}));
  EXPECT_TRUE(list({"8.8.8.8/32"}).holds({.mac = {}, .network = Ipv4::of(8, 8, 8, 8), .uuid = {}}));
  EXPECT_FALSE(
      list({"8.8.8.8/32"}).holds({.mac = {}, .network = Ipv4::of(8, 8, 8, 9), .uuid = {}}));
}

TEST(DhcpPolicy, SaysWhatIsWrongWithAnEntry) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"lyon", "lyon: want a MAC or its first octets"},
      {"", "want a MAC or its first octets"},
      {"10.4.0.0", "want a MAC or its first octets"},
      {"10.4.0.0/33", "10.4.0.0/33: want a network such as 10.4.0.0/16"},
      {"10.4.0.0/016", "want a network such as"},
      {"10.4.0.0/", "want a network such as"},
      {"10.4.0.0/-1", "want a network such as"},
      {"10.4/16", "want a network such as"},
      {"10.4.7.0/16", "10.4.7.0/16: is no network; 10.4.0.0/16 is the one it lies in"},
      {"34124d56-cdab-0100-1111-2222deadbee", "want a MAC or its first octets"},
      {"34124d56-cdab-0100-1111-2222deadbeeg", "want a MAC or its first octets"},
      {"34124d56acdab-0100-1111-2222deadbeef", "want a MAC or its first octets"},
      {"52:54:0\x1b", "52:54:0\\x1b: want a MAC"}};
  for (const auto& [text, what] : rows) {
    ClientList entries;
    const auto added = entries.add(text);
    ASSERT_FALSE(added) << text;
    EXPECT_THAT(added.error().what, HasSubstr(what)) << text;
    EXPECT_TRUE(entries.empty());
  }
}

TEST(DhcpPolicy, ReadsMacsAndTheirBeginnings) {
  EXPECT_EQ(mac_beginning("52:54:00"), (Bytes{0x52, 0x54, 0x00}));
  EXPECT_EQ(mac_beginning("DC-A6"), (Bytes{0xdc, 0xa6}));
  EXPECT_EQ(mac_beginning("52:54:00:ab:cd:ef"), (Bytes{0x52, 0x54, 0x00, 0xab, 0xcd, 0xef}));
  for (const char* none : {"", "5", "52:", "52:5", "52:54:00:ab:cd:ef:01", "zz:54", "52.54.00"})
    EXPECT_FALSE(mac_beginning(none)) << none;
}

}  // namespace
}  // namespace farboot::dhcp
