// What the agent's settings make of TFTP and HTTP, and what TFTP tells the rest of the agent.
#include <regex>

#include <gtest/gtest.h>

#include "common/wire/tftp.h"
#include "tests/agent/daemon/agent_fixture.h"
#include "tests/support/eventually.h"

namespace farboot {
namespace {

class AgentTftpTest : public AgentTest {
 protected:
  /// The first answer to a read request.
  UdpMessage ask(const UdpClient& client, const std::string& path,
                 std::vector<tftp::Option> options = {}, tftp::Mode mode = tftp::Mode::octet) {
    tftp::Request request;
    request.path = path;
    request.mode = mode;
    request.options = std::move(options);
    client.send(tftp::encode_request(request), Ipv4::of(127, 0, 0, 1), agent_->tftp_port());
    auto message = client.receive();
    EXPECT_TRUE(message);
    return message ? std::move(*message) : UdpMessage{};
  }
  /// An empty file, to its end.
  void fetch_empty(const std::string& path) {
    const UdpClient client;
    const UdpMessage data = ask(client, path);
    ASSERT_TRUE(tftp::decode_data(data.bytes)) << path;
    client.send(tftp::encode_ack(1), data.from, data.from_port);
  }

  /// A text of one block.
  std::string fetch_text(const std::string& path) {
    const UdpClient client;
    const UdpMessage granted = ask(client, path, {{"blksize", "8192"}});
    if (const auto error = tftp::decode_error(granted.bytes))
      return fmt::format("error {}", static_cast<int>(error->code));
    client.send(tftp::encode_ack(0), granted.from, granted.from_port);
    const auto message = client.receive();
    if (!message) return "nothing";
    const auto data = tftp::decode_data(message->bytes);
    if (!data) return "no data";
    client.send(tftp::encode_ack(1), message->from, message->from_port);
    return std::string(as_text(data->payload));
  }
};

TEST_F(AgentTftpTest, GrantsWhatTheSettingsAllow) {
  config_.tftp_block_bytes_max = 1024;
  config_.tftp_window_blocks_max = 4;
  start();
  const UdpClient client;
  const auto oack = tftp::decode_oack(
      ask(client, "boot.ipxe", {{"blksize", "1468"}, {"windowsize", "16"}}).bytes);
  ASSERT_TRUE(oack);
  EXPECT_EQ(oack->options.at(0).value, "1024");
  EXPECT_EQ(oack->options.at(1).value, "4");
}

TEST_F(AgentTftpTest, LimitsTheTransfersOfOneAddress) {
  config_.tftp_sessions_per_client_max = 32;
  start();
  std::vector<std::unique_ptr<UdpClient>> clients;
  for (int i = 0; i < 32; ++i) {
    clients.push_back(std::make_unique<UdpClient>());
    ask(*clients.back(), "boot.ipxe", {{"tsize", "0"}});
  }
  const UdpClient one_more;
  tftp::Request request;
  request.path = "boot.ipxe";
  one_more.send(tftp::encode_request(request), Ipv4::of(127, 0, 0, 1), agent_->tftp_port());
  RawClient http(agent_->http_port());
  EXPECT_TRUE(eventually([&http] {
    return http.get("/v1/metrics").body.find("\nfarboot_tftp_requests_total 33\n") !=
           std::string::npos;
  }));
  EXPECT_FALSE(one_more.waiting());
}

TEST_F(AgentTftpTest, LimitsTheConnectionsOfOneAddress) {
  config_.http_connections_per_client_max = 8;
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RawClient>(agent_->http_port()));
    EXPECT_EQ(clients.back()->get("/v1/health").status, 200) << i;
  }
  RawClient one_more(agent_->http_port());
  EXPECT_EQ(one_more.get("/v1/health").status, 503);
}

TEST_F(AgentTftpTest, WhatGoesByTftpIsProgressOfTheInstall) {
  SiteOnDisk(config_).one_to_install();
  start();
  RawClient http(agent_->http_port());
  const std::string script = http.get("/boot/52:54:00:00:00:01.ipxe?buildarch=x86_64").body;
  std::smatch kickstart, tree;
  ASSERT_TRUE(std::regex_search(script, kickstart, std::regex("/ks/[0-9a-f]{32}"))) << script;
  ASSERT_TRUE(std::regex_search(script, tree, std::regex("/(t/[0-9a-f]{64}/)"))) << script;
  ASSERT_EQ(http.get(kickstart.str()).status, 200);
  for (int i = 0; i < 4; ++i) fetch_empty(fmt::format("{}Packages/p{:03}.rpm", tree[1].str(), i));
  std::string page;
  EXPECT_TRUE(eventually([&] {
    page = http.get("/").body;
    return page.find("<td>packages") != std::string::npos;
  })) << page;
}

/// A GRUB without HTTP: its scripts, kernel and initrd by TFTP alone, and that counts.
TEST_F(AgentTftpTest, GrubInstallsByTftp) {
  SiteOnDisk(config_).one_to_install();
  config_.tftp_block_bytes_max = 8192;
  start();
  EXPECT_EQ(fetch_text("grub/x86_64-efi/grub.cfg"), "error 1");
  const std::string first = fetch_text("/grub/grub.cfg");
  EXPECT_NE(first.find("'(tftp,127.0.0.1)'"), std::string::npos) << first;
  // Who only asks, or cannot show where it is, begins no install.
  const std::string path = "/boot/52:54:00:00:00:01/none/x86_64-efi.grub";
  const UdpClient forger;
  EXPECT_TRUE(tftp::decode_oack(ask(forger, path, {{"blksize", "8192"}}).bytes));
  EXPECT_TRUE(tftp::decode_error(ask(UdpClient(), path, {}).bytes));
  EXPECT_TRUE(
      tftp::decode_error(ask(UdpClient(), path, {{"tsize", "0"}}, tftp::Mode::netascii).bytes));
  RawClient http(agent_->http_port());
  EXPECT_EQ(http.get("/").body.find("<td>started"), std::string::npos);
  const std::string script = fetch_text(path);
  EXPECT_NE(http.get("/").body.find("<td>started"), std::string::npos);
  std::smatch kernel, initrd;
  ASSERT_TRUE(std::regex_search(script, kernel, std::regex("linux [^']+'/(t/[^']+)'"))) << script;
  ASSERT_TRUE(std::regex_search(script, initrd, std::regex("initrd [^']+'/(t/[^']+)'"))) << script;
  fetch_empty(kernel[1].str());
  fetch_empty(initrd[1].str());
  // No kickstart was asked for: only a machine that has the initrd is believed to install.
  fetch_empty(kernel[1].str().substr(0, 2 + 64 + 1) + "Packages/p000.rpm");
  std::string page;
  EXPECT_TRUE(eventually([&] {
    page = http.get("/").body;
    return page.find("<td>packages") != std::string::npos;
  })) << page;
  EXPECT_EQ(fetch_text("/boot/52:54:00:00:00:01/none/x86_64-efi/nobody.grub"), "error 1");
}

/// A switch names undionly.kpxe to all: iPXE, which it is already, would load itself for ever.
TEST_F(AgentTftpTest, EndsTheLoopOfASiteThatNamesOneFile) {
  {
    const SiteOnDisk disk(config_);
    FileEntry loader = testing::file("undionly.kpxe");
    const Bytes bytes = to_bytes("loader");
    loader.sha256 = sha256(bytes);
    loader.size_bytes = bytes.size();
    loader.chunks = {{loader.sha256, static_cast<std::uint32_t>(bytes.size())}};
    ASSERT_TRUE(disk.content().put(loader.sha256, bytes));
    Release release = testing::centos_release(1, disk.site->put_tree(1));
    release.loaders = put_manifest(disk.content(), Manifest{{loader}}).value();
    disk.site->activate(release);
  }
  start();
  const UdpClient rom;
  const auto oack = tftp::decode_oack(ask(rom, "undionly.kpxe", {{"tsize", "0"}}).bytes);
  ASSERT_TRUE(oack);
  EXPECT_EQ(oack->options.front().value, "6");
  const UdpClient ipxe;
  const UdpMessage granted = ask(ipxe, "undionly.kpxe", {{"blksize", "1432"}, {"tsize", "0"}});
  ipxe.send(tftp::encode_ack(0), granted.from, granted.from_port);
  const auto data = ipxe.receive();
  ASSERT_TRUE(data);
  const auto block = tftp::decode_data(data->bytes);
  ASSERT_TRUE(block);
  EXPECT_TRUE(as_text(block->payload).starts_with("#!ipxe\n"));
}

TEST(AgentTftpConfig, GivesIpxeTheScriptWhereDhcpCannot) {
  AgentConfig config;
  EXPECT_FALSE(config.script_for_ipxe());
  config.dhcp_mode = DhcpMode::observe;
  EXPECT_FALSE(config.script_for_ipxe());
  config.dhcp_mode = DhcpMode::off;
  EXPECT_TRUE(config.script_for_ipxe());
  config.tftp_ipxe_script = IpxeScript::off;
  EXPECT_FALSE(config.script_for_ipxe());
  config.dhcp_mode = DhcpMode::proxy;
  config.tftp_ipxe_script = IpxeScript::on;
  EXPECT_TRUE(config.script_for_ipxe());
}

TEST(AgentTftpConfig, KeysHaveTheirRanges) {
  const auto taken = [](const std::string& text) {
    AgentConfig config;
    return agent_keys(config).load_text(text, "agent.toml") && check_config(config);
  };
  for (const char* line :
       {"tftp_sessions_max = 64", "tftp_sessions_max = 4096", "tftp_sessions_per_client_max = 32",
        "tftp_block_bytes_max = 0", "tftp_block_bytes_max = 8", "tftp_block_bytes_max = 65464",
        "tftp_window_blocks_max = 1", "tftp_window_blocks_max = 64", "tftp_ignore_case = true",
        "tftp_ipxe_script = \"auto\"", "tftp_ipxe_script = \"off\"", "tftp_second_stage = \"\"",
        "tftp_second_stage = \"grubx64.efi\"", "http_connections_per_client_max = 8"})
    EXPECT_TRUE(taken(line)) << line;
  for (const char* line :
       {"tftp_sessions_max = 63", "tftp_sessions_max = 4097", "tftp_sessions_per_client_max = 31",
        "tftp_block_bytes_max = 7", "tftp_block_bytes_max = 65465", "tftp_window_blocks_max = 0",
        "tftp_window_blocks_max = 65", "tftp_ipxe_script = \"yes\"",
        "tftp_second_stage = \"../grubx64.efi\"", "tftp_second_stage = \"a/b\"",
        "http_connections_per_client_max = 7"})
    EXPECT_FALSE(taken(line)) << line;
}

}  // namespace
}  // namespace farboot
