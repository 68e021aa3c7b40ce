// The agent as one program: it starts, serves and stops as systemd has it do.
#include <gmock/gmock.h>

#include <regex>

#include <nlohmann/json.hpp>

#include "agent/dhcp_policy.h"
#include "common/wire/tftp.h"
#include "tests/agent/daemon/agent_fixture.h"
#include "tests/agent/dhcp/samples.h"
#include "tests/support/site_content.h"
#include "tests/support/without_net_raw.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

nlohmann::json health(RawClient& client) {
  return nlohmann::json::parse(client.get("/v1/health").body, nullptr, false);
}

TEST_F(AgentTest, StopsWithConnectionsOpen) {
  start();
  RawClient idle(agent_->http_port());
  EXPECT_EQ(idle.get("/v1/health").status, 200);
  RawClient half(agent_->http_port());
  EXPECT_EQ(half.get("/v1/health").status, 200);
  half.send("GET / HTTP/1.1\r\nHost:");
  stop();  // what unwound only after its parts would count in a registry that is gone
  EXPECT_TRUE(idle.at_end());
}

TEST_F(AgentTest, KeepsWhatAMachineDidJustBeforeItStops) {
  SiteOnDisk(config_).one_to_install();
  start();
  RawClient client(agent_->http_port());
  const std::string script = client.get("/boot/52:54:00:00:00:01.ipxe?buildarch=x86_64").body;
  std::smatch kickstart, tree;
  ASSERT_TRUE(std::regex_search(script, kickstart, std::regex("/ks/[0-9a-f]{32}"))) << script;
  ASSERT_TRUE(std::regex_search(script, tree, std::regex("/t/[0-9a-f]{64}/"))) << script;
  ASSERT_EQ(client.get(kickstart.str()).status, 200);
  for (int i = 0; i < 9; ++i)  // the later ones wait for the first one's write
    ASSERT_EQ(client.get(fmt::format("{}Packages/p{:03}.rpm", tree.str(), i)).status, 200);
  stop();
  const SiteOnDisk disk(config_);
  EXPECT_EQ(disk.site->book->hosts().front().detail, "9 of 10 packages");
}

TEST_F(AgentTest, CountsWhatItsServersDo) {
  start();
  RawClient client(agent_->http_port());
  const UdpClient tftp;
  tftp::Request absent;
  absent.path = "absent.efi";
  tftp.send(tftp::encode_request(absent), Ipv4::of(127, 0, 0, 1), agent_->tftp_port());
  ASSERT_TRUE(tftp.receive());
  std::string text;
  do {  // the store is asked in the background
    text = client.get("/v1/metrics").body;
  } while (text.find("farboot_store_budget_bytes 0\n") != std::string::npos);
  EXPECT_THAT(text, HasSubstr("\nfarboot_tftp_requests_total 1\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_tftp_transfers_total{result=\"refused\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_dhcp_silent_total{why=\"not_pxe\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_dhcp_silent_total{why=\"other_boot_server\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_dhcp_answers_total{type=\"observed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_dhcp_listening 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_sync_refused_documents_total 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_catalog_refused_releases_total 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_link_connected 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_link_refused_handshakes_total 0\n"));
  EXPECT_THAT(text, HasSubstr("\nfarboot_store_budget_bytes "));
}

TEST_F(AgentTest, ServesWhileAnotherKeepsItsDhcpPorts) {
  const UdpClient holder(Ipv4{});
  config_.dhcp_mode = DhcpMode::proxy;
  config_.dhcp_port = 0;
  config_.pxe_port = holder.port();
  start();
  RawClient client(agent_->http_port());
  const auto said = health(client);
  ASSERT_TRUE(said["troubles"].is_array()) << said;
  EXPECT_THAT(said["troubles"].dump(), HasSubstr(std::to_string(holder.port())));
  EXPECT_EQ(said["status"], "degraded");
  EXPECT_THAT(client.get("/").body, HasSubstr(std::to_string(holder.port())));
}

TEST_F(AgentTest, SaysWhatItCannotHear) {
  config_.dhcp_mode = DhcpMode::proxy;
  config_.dhcp_port = 0;
  config_.pxe_port = 0;
  config_.interfaces = {"lo"};
  config_.dhcp_relays = dhcp::Relays::copy;
  {
    const testing::WithoutNetRaw less;
    start();
  }
  RawClient client(agent_->http_port());
  const std::string troubles = health(client)["troubles"].dump();
  EXPECT_THAT(troubles, HasSubstr("Machines behind DHCP relays get no answer"));
  EXPECT_THAT(troubles, HasSubstr("not seen if another server"));
}

TEST_F(AgentTest, OffersTheLoaderTheFleetWantsForAHost) {
  {
    const SiteOnDisk disk(config_);
    Release release = testing::centos_release(1, disk.site->put_tree(1));
    release.variables["loader"] = "ipxe.efi";
    release.loaders =
        keep_tree(disk.content(), {{"snponly.efi", {1}}, {"ipxe.efi", {2}}, {"own.efi", {3}}});
    disk.site->activate(release);
    HostSpec host = testing::web1();
    host.variables["loader"] = "own.efi";
    ASSERT_TRUE(disk.site->run(disk.site->book->apply(testing::lyon({host}))));
  }
  config_.dhcp_mode = DhcpMode::proxy;
  config_.interfaces = {"lo"};
  config_.dhcp_port = 0;
  config_.pxe_port = 0;
  start();
  const UdpClient client;
  const auto file_of = [&](const char* mac) {
    auto request = dhcp::golden_request("edk2_x64_4011_request");
    const Mac own = *Mac::parse(mac);
    std::copy(own.octets.begin(), own.octets.end(), request.chaddr.begin());
    client.send(*dhcp::encode(request, 1472), Ipv4::of(127, 0, 0, 1), agent_->pxe_port());
    const auto message = client.receive();
    EXPECT_TRUE(message);
    return message ? dhcp::decode(message->bytes).value().file : "";
  };
  EXPECT_EQ(file_of("52:54:00:00:00:01"), "own.efi") << "the host's word";
  EXPECT_EQ(file_of("52:54:00:00:00:02"), "ipxe.efi") << "the fleet's";
}

TEST(DhcpWishOfTheFleet, TheSiteComesBeforeTheFleetAndNonsenseIsNoWish) {
  std::vector<std::string> complaints;
  const auto complain = [&complaints](const Error& error) { complaints.push_back(error.what); };
  const Variables host = {{"uefi_reply", "one_shot"}, {"role", "web"}};
  const Variables site = {{"loader", "/etc/passwd"}, {"uefi_reply", "binl"}};
  const Variables fleet = {{"loader", "arm64_uefi=a.efi"}, {"uefi_reply", "one_shot"}};
  const dhcp::ClientWish wish = dhcp_wish(host, site, fleet, complain);
  EXPECT_TRUE(wish.host.loaders.empty());
  EXPECT_EQ(wish.host.uefi_style, dhcp::ReplyStyle::one_shot);
  EXPECT_EQ(wish.site.uefi_style, dhcp::ReplyStyle::binl);
  ASSERT_EQ(wish.site.loaders.size(), 1U);
  EXPECT_EQ(wish.site.loaders[0], (dhcp::ArchLoader{11, "a.efi"}));
  ASSERT_EQ(complaints.size(), 1U);
  EXPECT_THAT(complaints[0], HasSubstr("loader: /etc/passwd: want the name of a boot loader"));
}

TEST(AgentConfigCheck, NamesTheRuleThatIsNone) {
  AgentConfig config;
  config.dhcp_clients = {"52:54:00 one_shot", "arch=x64_uefi loader=ipxe.efi"};
  EXPECT_TRUE(check_config(config));
  config.dhcp_clients.push_back("lyon one_shot");
  EXPECT_THAT(check_config(config).error().what,
              HasSubstr("dhcp_clients: lyon one_shot: lyon: want a MAC"));
}

TEST(AgentConfigCheck, NamesTheEntryOfAListThatIsNone) {
  AgentConfig config;
  config.dhcp_deny = {"52:54:00", "dc:a6:32:01:02:03"};
  config.dhcp_allow = {"00-1B-21", "10.4.0.0/16", "34124D56-CDAB-0100-1111-2222DEADBEEF"};
  EXPECT_TRUE(check_config(config));
  config.dhcp_allow.push_back("lyon");
  const auto refused = check_config(config);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("dhcp_allow: lyon"));
  config.dhcp_allow.pop_back();
  config.dhcp_deny.push_back("10.4.7.0/16");
  EXPECT_THAT(check_config(config).error().what,
              HasSubstr("dhcp_deny: 10.4.7.0/16: is no network; 10.4.0.0/16"));
}

}  // namespace
}  // namespace farboot
