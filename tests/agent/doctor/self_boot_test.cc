#include "agent/doctor/self_boot.h"

#include <gmock/gmock.h>

#include "tests/agent/doctor/live_agent.h"
#include "tests/agent/http/raw_client.h"

namespace farboot::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SelfBootTest : public LiveAgent {
 protected:
  SelfBootResult boot() {
    SelfBoot boot;
    boot.release = release_;
    boot.servers.address = kLiveAgent;
    boot.patience.datagram = patience_;
    boot.policy = policy_;
    boot.asks_4011 = asks_4011_;
    return self_boot(boot, {});
  }
  static const Walk& of(const SelfBootResult& result, Client client) {
    static const Walk none{Client::plain, "was not walked", ""};
    for (const Walk& walk : result.walks)
      if (walk.client == client) return walk;
    return none;
  }
  /// On our LAN, or on this machine itself: nothing gets in there.
  static void drop(const std::string& what) {
    ASSERT_TRUE(
        Namespaces::run("nft 'table ip doctor { chain in { type filter hook input "
                        "priority 0; " +
                        what + " drop; }; }'"));
  }

  Milliseconds patience_{10'000};
  dhcp::Policy policy_;
  bool asks_4011_ = true;
};

TEST_F(SelfBootTest, WalksEveryKindOfMachineToItsKernel) {
  content_.loaders["snponly-arm64.efi"] = sample_bytes(5'000, 4);
  content_.loaders["ipxe-i386.efi"] = sample_bytes(2 * 1428, 5);
  content_.images["debian12"] = "aarch64";
  start();
  const SelfBootResult result = boot();
  ASSERT_EQ(result.ports.size(), 3U);
  for (const PortCheck& port : result.ports) EXPECT_EQ(port.trouble, "") << port.name;
  ASSERT_EQ(result.walks.size(), 5U);
  for (const Walk& walk : result.walks) EXPECT_EQ(walk.stopped, "") << to_string(walk.client);
  EXPECT_EQ(of(result, Client::bios).reached,
            "undionly.kpxe by TFTP, boot.ipxe, menu, kernel and initrd of centos7@1");
  EXPECT_EQ(of(result, Client::uefi_ia32).reached,
            "ipxe-i386.efi by TFTP, boot.ipxe, menu, kernel and initrd of centos7@1");
  EXPECT_EQ(of(result, Client::uefi_x64).reached,
            "snponly.efi by TFTP, boot.ipxe, menu, kernel and initrd of centos7@1");
  EXPECT_EQ(of(result, Client::http_x64).reached,
            "snponly.efi by HTTP, boot.ipxe, menu, kernel and initrd of centos7@1");
  EXPECT_EQ(of(result, Client::uefi_arm64).reached,
            "snponly-arm64.efi by TFTP, boot.ipxe, menu, kernel and initrd of debian12@1");
}

TEST_F(SelfBootTest, BeginsNothing) {
  start();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(of(boot(), Client::bios).stopped, "");
  const std::string log = ::testing::internal::GetCapturedStderr();
  // What a machine does leaves lines there.
  EXPECT_THAT(log, HasSubstr("event=tftp.sent"));
  for (const char* event : {"boot.chosen", "boot.decided", "host.phase"})
    EXPECT_THAT(log, Not(HasSubstr(std::string("event=") + event))) << log;
  net_.enter_server();
  RawClient client(80);
  EXPECT_THAT(client.get("/v1/metrics").body, HasSubstr("\nfarboot_installs 0\n"));
}

TEST_F(SelfBootTest, SaysWhichLoadersAreMissing) {
  content_.images["debian12"] = "aarch64";
  start();
  std::map<Client, LoaderCheck> loaders;
  const SelfBootResult result = boot();
  for (const LoaderCheck& each : result.loaders) loaders[each.client] = each;
  EXPECT_EQ(loaders[Client::bios].file, "undionly.kpxe");
  EXPECT_EQ(loaders[Client::uefi_arm64].file, "");
  EXPECT_TRUE(loaders[Client::uefi_arm64].wanted);
  EXPECT_EQ(loaders[Client::uefi_ia32].file, "");
  EXPECT_FALSE(loaders[Client::uefi_ia32].wanted);
  EXPECT_EQ(result.walks.size(), 3U) << "who gets no loader is not walked";
}

TEST_F(SelfBootTest, FindsBytesThatAreNotTheRelease) {
  start();
  LiveContent other = content_;
  other.loaders["undionly.kpxe"][77] ^= 1;
  AgentConfig elsewhere = config_;
  elsewhere.state_dir = folder_ / "elsewhere";
  release_ = other.write(elsewhere);
  const SelfBootResult result = boot();
  EXPECT_THAT(of(result, Client::bios).stopped,
              HasSubstr("TFTP undionly.kpxe: 4284 bytes came, which are not those"));
  EXPECT_EQ(of(result, Client::uefi_x64).stopped, "");
}

TEST_F(SelfBootTest, FindsAKernelThatIsNotThere) {
  start();
  LiveContent other = content_;
  other.images["rocky9"] = "x86_64";
  other.images.erase("centos7");
  AgentConfig elsewhere = config_;
  elsewhere.state_dir = folder_ / "elsewhere";
  release_ = other.write(elsewhere);
  const SelfBootResult result = boot();
  EXPECT_THAT(of(result, Client::bios).stopped, HasSubstr("entry=rocky9: status 404"));
}

TEST_F(SelfBootTest, FindsAPortThatNobodyGetsThrough) {
  if (!std::filesystem::exists("/usr/sbin/nft")) GTEST_SKIP() << "no nft; ./dev deps demo";
  start();
  drop("udp dport 69");
  patience_ = Milliseconds(50);
  const SelfBootResult result = boot();
  ASSERT_EQ(result.ports.size(), 3U);
  EXPECT_EQ(result.ports[0].name, "TFTP, UDP port 69");
  EXPECT_EQ(result.ports[0].trouble, "nothing came back");
  EXPECT_EQ(of(result, Client::bios).stopped, "TFTP, UDP port 69: nothing came back");
}

TEST_F(SelfBootTest, FindsPort4011Silent) {
  if (!std::filesystem::exists("/usr/sbin/nft")) GTEST_SKIP() << "no nft; ./dev deps demo";
  start();
  drop("udp dport 4011");
  patience_ = Milliseconds(50);
  const SelfBootResult result = boot();
  EXPECT_EQ(result.ports[2].name, "PXE, UDP port 4011");
  EXPECT_EQ(result.ports[2].trouble, "nothing came back");
}

TEST_F(SelfBootTest, WalksWithoutPort4011InModeOff) {
  config_.dhcp_mode = DhcpMode::off;
  start();
  asks_4011_ = false;
  EXPECT_EQ(of(boot(), Client::uefi_x64).stopped, "");
  asks_4011_ = true;
  patience_ = Milliseconds(50);
  EXPECT_THAT(of(boot(), Client::uefi_x64).stopped, HasSubstr("4011"));
}

TEST_F(SelfBootTest, IsNotDeniedByTheSitesLists) {
  start();
  ASSERT_TRUE(policy_.allowed.add("52:54:00"));
  policy_.elsewhere = [](const Mac&, const std::string&) { return true; };
  EXPECT_EQ(of(boot(), Client::bios).stopped, "");
}

TEST_F(SelfBootTest, LooksAtThePortsWhereNothingIsActive) {
  start();
  release_ = nullptr;
  const SelfBootResult result = boot();
  EXPECT_EQ(result.ports.size(), 3U);
  EXPECT_THAT(result.walks, IsEmpty());
}

}  // namespace
}  // namespace farboot::doctor
