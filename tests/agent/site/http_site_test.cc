// A whole site behind HTTP: what a request changes, and what it must not.
#include "agent/site/http_site.h"

#include <gtest/gtest.h>

#include <prometheus/registry.h>

#include <future>
#include <regex>
#include <thread>

#include "agent/http/server.h"
#include "tests/agent/http/raw_client.h"
#include "tests/support/site_bench.h"

namespace farboot {
namespace {

using testing::lyon;
using testing::SiteBench;
using testing::web1;

class HttpSiteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bench_.open();
    bench_.activate(6);
    ASSERT_TRUE(bench_.run(bench_.book->apply(lyon({web1()}))));
    boot_ = std::make_unique<BootService>(bench_.catalog, *bench_.book, bench_.clock);
    site_ = std::make_unique<HttpSite>(*boot_, *bench_.book, [] { return HttpSite::LinkStatus{}; });
    server_ = std::make_unique<HttpServer>(bench_.loop, bench_.disk, *bench_.card.content,
                                           bench_.catalog, *site_, bench_.clock, registry_);
    auto port = server_->listen("127.0.0.1", 0);
    ASSERT_TRUE(port) << port.error().what;
    bench_.loop.restart();
    thread_ = std::thread([this] { bench_.loop.run(); });
    client_ = std::make_unique<RawClient>(*port);
  }
  template <class Job>
  auto on_loop(Job job) {
    std::promise<decltype(job())> value;
    boost::asio::post(bench_.loop, [&] { value.set_value(job()); });
    return value.get_future().get();
  }
  void TearDown() override {
    on_loop([this] {
      server_->stop();
      return true;
    });
    thread_.join();
  }
  InstallPhase phase() {
    return on_loop([this] { return bench_.book->hosts().front().phase; });
  }
  std::size_t attempts() { return bench_.card.state->scan("attempt/")->size(); }
  std::size_t events() { return bench_.card.state->scan("outbox/")->size(); }

  static constexpr const char* kScript = "/boot/52:54:00:00:00:01.ipxe?buildarch=x86_64";
  SiteBench bench_;
  prometheus::Registry registry_;
  std::unique_ptr<BootService> boot_;
  std::unique_ptr<HttpSite> site_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(HttpSiteTest, HeadOfAScriptBeginsNothing) {
  const std::size_t events_before = events();
  Answer head;
  for (int i = 0; i < 3; ++i) head = client_->head(kScript);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(phase(), InstallPhase::armed);
  EXPECT_EQ(attempts(), 0U);
  EXPECT_EQ(events(), events_before);
  const Answer got = client_->get(kScript);
  EXPECT_NE(got.body.find("\nkernel http"), std::string::npos) << got.body;
  EXPECT_EQ(head.header("Content-Length"), got.header("Content-Length"));
  EXPECT_EQ(head.header("Content-Type"), got.header("Content-Type"));
  EXPECT_EQ(phase(), InstallPhase::started);
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(HttpSiteTest, HeadOfAGrubScriptBeginsNothing) {
  const std::string machine = "/boot/52:54:00:00:00:01/none/x86_64-efi";
  const std::string stranger = "/boot/52:54:00:00:00:99/none/x86_64-efi/centos7.grub";
  const Answer head = client_->head(machine + ".grub");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(client_->head(stranger).status, 200);
  EXPECT_EQ(phase(), InstallPhase::armed);
  EXPECT_EQ(attempts(), 0U);
  const Answer got = client_->get(machine + ".grub");
  EXPECT_NE(got.body.find("\nif linux \"${farboot_root}\"'/t/"), std::string::npos) << got.body;
  EXPECT_EQ(head.header("Content-Length"), got.header("Content-Length"));
  EXPECT_EQ(phase(), InstallPhase::started);
  EXPECT_EQ(attempts(), 1U);
  EXPECT_EQ(client_->get(stranger).status, 200);
  EXPECT_EQ(attempts(), 2U);
  EXPECT_EQ(client_->get(machine + "/nobody.grub").status, 404);
  EXPECT_NE(client_->get("/grub/grub.cfg").body.find("farboot_ask"), std::string::npos);
}

TEST_F(HttpSiteTest, StatusTellsWhereWhoInstallsIs) {
  EXPECT_EQ(on_loop([this] { return site_->status(); }).installs.front().client, "");
  EXPECT_EQ(client_->get(kScript).status, 200);
  EXPECT_EQ(on_loop([this] { return site_->status(); }).installs.front().client, "127.0.0.1");
  EXPECT_NE(client_->get("/").body.find("<td>127.0.0.1</td>"), std::string::npos);
}

TEST_F(HttpSiteTest, StatusTellsWhatOthersKnow) {
  WallTime heard = bench_.clock.wall() - std::chrono::hours(3);
  const HttpSite site(
      *boot_, *bench_.book,
      [&] {
        return HttpSite::LinkStatus{.agent = "pi1", .connected = false, .last_contact = heard};
      },
      {.troubles = [] { return std::vector<std::string>{"port 67 is taken"}; }, .count = {}});
  const SiteStatus status = on_loop([&] { return site.status(); });
  EXPECT_EQ(status.troubles, std::vector<std::string>{"port 67 is taken"});
  EXPECT_EQ(status.last_contact, heard);
}

TEST_F(HttpSiteTest, HeadOfAChosenEntryBeginsNothing) {
  const std::string stranger = "/boot/52:54:00:00:00:99.ipxe?buildarch=x86_64&entry=centos7";
  const Answer head = client_->head(stranger);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(attempts(), 0U);
  const Answer got = client_->get(stranger);
  EXPECT_NE(got.body.find("\nkernel http"), std::string::npos) << got.body;
  EXPECT_EQ(head.header("Content-Length"), got.header("Content-Length"));
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(HttpSiteTest, MenusOfTheOperatorsOwnLeadToEachOther) {
  Release release = testing::centos_release(7, bench_.put_tree(10));
  release.menu.template_name = "start";
  release.menus = {{"start", "{{menu.url}}tools"}, {"tools", "# tools of {{host.mac}}\n"}};
  on_loop([&] {
    bench_.activate(release);
    return true;
  });
  const Answer start = client_->get("/boot/52:54:00:00:00:99.ipxe?product=a%20%26%20b");
  const std::size_t path = start.body.find("/boot/");
  ASSERT_NE(path, std::string::npos) << start.body;
  EXPECT_EQ(client_->get(start.body.substr(path)).body, "#!ipxe\n# tools of 52:54:00:00:00:99\n");
  EXPECT_EQ(client_->get("/boot/52:54:00:00:00:99.ipxe?menu=none").status, 404);
  EXPECT_EQ(attempts(), 0U);
}

TEST_F(HttpSiteTest, HeadDuringAnAttemptIsNotOneMoreTry) {
  const std::string first = client_->get(kScript).body;
  // More often than an attempt may be repeated.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client_->head(kScript).status, 200);
  const Answer again = client_->get(kScript);
  EXPECT_EQ(again.body, first) << "the same attempt, its token and all";
  EXPECT_EQ(client_->head(kScript).header("Content-Length"), again.header("Content-Length"));
  EXPECT_EQ(attempts(), 1U);
}

TEST_F(HttpSiteTest, HeadOfAKickstartDoesNotCountAsGiven) {
  const std::string script = client_->get(kScript).body;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(script, found, std::regex("/ks/([0-9a-f]{32})"))) << script;
  const std::string path = "/ks/" + found[1].str();
  const Answer head = client_->head(path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(phase(), InstallPhase::started);
  const Answer got = client_->get(path);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(head.header("Content-Length"), got.header("Content-Length"));
  EXPECT_EQ(phase(), InstallPhase::kickstart);
  EXPECT_EQ(client_->head("/ks/" + std::string(32, '0')).status, 404);
}

TEST_F(HttpSiteTest, HeadOfAScriptEndsNoInstall) {
  const std::string script = client_->get(kScript).body;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(script, found, std::regex("/ks/([0-9a-f]{32})"))) << script;
  ASSERT_EQ(client_->get("/ks/" + found[1].str()).status, 200);
  EXPECT_EQ(client_->head(kScript).status, 200);
  EXPECT_EQ(phase(), InstallPhase::kickstart) << "the installer is still at work";
  EXPECT_EQ(client_->get(kScript).body.find("\nkernel http"), std::string::npos);
  EXPECT_NE(phase(), InstallPhase::kickstart) << "it came back: its disk is what it boots now";
}

}  // namespace
}  // namespace farboot
