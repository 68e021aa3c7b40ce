// Scripts, kickstarts, events and our own pages.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/agent/http/live_site.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class Rendered : public ::testing::Test {
 protected:
  Rendered() {
    Release release;
    release.number = 7;
    release.images.push_back(
        sample_image("centos7", "1708", keep_tree(live_.store(), {{"f", sample_bytes(9, 1)}})));
    live_.activate(release);
    live_.start();
    client_ = std::make_unique<RawClient>(live_.port());
    server_ = "http://127.0.0.1:" + std::to_string(live_.port());
  }
  std::vector<EventRequest> events() {
    return live_.site().events.with([](auto& all) { return all; });
  }
  Answer post(const std::string& path, const std::string& body, const std::string& headers = "") {
    client_->send("POST " + path + " HTTP/1.1\r\nHost: pi\r\n" + headers +
                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client_->receive();
  }

  LiveSite live_;
  std::unique_ptr<RawClient> client_;
  std::string server_;
};

TEST_F(Rendered, FirstScriptKnowsTheServerAsTheClientReachedIt) {
  const Answer answer = client_->get("/boot.ipxe");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "#!ipxe\nchain " + server_ + "\n");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
}

TEST_F(Rendered, AutoexecIsTheFirstScriptUnlessTheOperatorBroughtOne) {
  EXPECT_EQ(client_->get("/autoexec.ipxe").body, "#!ipxe\nchain " + server_ + "\n");
  EXPECT_EQ(client_->get("/efi/autoexec.ipxe").status, 404);
  Release release;
  release.number = 8;
  release.loaders = keep_tree(live_.store(), {{"autoexec.ipxe", to_bytes("#!ipxe\nshell\n")}});
  live_.activate(release);
  EXPECT_EQ(client_->get("/autoexec.ipxe").body, "#!ipxe\nshell\n");
}

TEST_F(Rendered, MachineScriptCarriesWhatTheMachineSaid) {
  const Answer answer = client_->get(
      "/boot/52:54:00:AA:BB:CC.ipxe?uuid=4c4c&serial=VM%20ware%2B1&buildarch=x86_64&platform=efi"
      "&manufacturer=Dell%20Inc.&product=R640&asset=a+b");
  EXPECT_EQ(answer.body,
            "#!ipxe\n# 52:54:00:aa:bb:cc|4c4c|VM ware+1|Dell Inc.|R640|a+b|x86_64|efi|127.0.0.1|" +
                server_ + "\n");
}

/// iPXE: `params`, `param serial ${serial}`, `chain … --params`.
TEST_F(Rendered, MachineScriptTakesAForm) {
  const std::string answer = post("/boot/525400aabbcc.ipxe?uuid=4c4c&serial=first",
                                  "serial=second&product=R%26D+box&buildarch=x86_64",
                                  "Content-Type: application/x-www-form-urlencoded\r\n")
                                 .body;
  EXPECT_EQ(answer,
            "#!ipxe\n# 52:54:00:aa:bb:cc|4c4c|first||R&D box||x86_64||127.0.0.1|" + server_ + "\n");
  EXPECT_EQ(post("/boot/525400aabbcc.ipxe", "entry=centos7").body,
            "#!ipxe\n# entry centos7 52:54:00:aa:bb:cc\n");
  const Answer refused = post("/boot.ipxe", "a=b");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Allow"), "GET, HEAD");
}

TEST_F(Rendered, EntryScriptIsFoundOrNot) {
  EXPECT_EQ(client_->get("/boot/525400aabbcc.ipxe?entry=centos7").body,
            "#!ipxe\n# entry centos7 52:54:00:aa:bb:cc\n");
  EXPECT_EQ(client_->get("/boot/525400aabbcc.ipxe?entry=absent").status, 404);
  EXPECT_EQ(client_->get("/boot/not-a-mac.ipxe").status, 404);
}

TEST_F(Rendered, GrubFindsItsScriptsUnlessTheOperatorBroughtOne) {
  const Answer first = client_->get("/grub/grub.cfg");
  EXPECT_EQ(first.body, "# grub " + server_ + "\n");
  EXPECT_EQ(first.header("Cache-Control"), "no-store");
  for (const char* path : {"/grub/x86_64-efi/grub.cfg", "/grub/x86_64-efi/command.lst",
                           "/grub/grub.cfg-01-52-54-00-aa-bb-cc", "/grub/grub.cfg-amd64"})
    EXPECT_EQ(client_->get(path).status, 404) << path;
  Release release;
  release.number = 8;
  release.loaders = keep_tree(live_.store(), {{"grub/grub.cfg", to_bytes("menuentry x {}\n")}});
  live_.activate(release);
  EXPECT_EQ(client_->get("/grub/grub.cfg").body, "menuentry x {}\n");
  EXPECT_EQ(client_->get("/shim/grub.cfg").body, "# grub " + server_ + "\n");
}

TEST_F(Rendered, GrubScriptIsFoundOrNot) {
  const std::string path = "/boot/52:54:00:AA:BB:CC/none/x86_64-efi/centos7~again.grub";
  const std::string text = "# " + path.substr(1) + "|127.0.0.1|" + server_;
  EXPECT_EQ(client_->get(path).body, text + "|get\n");
  const Answer head = client_->head(path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), std::to_string(text.size() + 6));
  EXPECT_EQ(client_->get("/boot/525400aabbcc/none/x86_64-efi/absent.grub").status, 404);
  EXPECT_EQ(client_->get("/boot/nobody/none/x86_64-efi.grub").status, 404);
  EXPECT_EQ(post(path, "a=b").status, 405);
}

TEST_F(Rendered, MenuOfTheOperatorsOwnIsFoundOrNot) {
  EXPECT_EQ(client_->get("/boot/525400aabbcc.ipxe?uuid=4c4c&menu=tools").body,
            "#!ipxe\n# menu tools 52:54:00:aa:bb:cc\n");
  EXPECT_EQ(client_->get("/boot/525400aabbcc.ipxe?menu=absent").status, 404);
  EXPECT_EQ(client_->get("/boot/525400aabbcc.ipxe?menu=tools&entry=centos7").body,
            "#!ipxe\n# entry centos7 52:54:00:aa:bb:cc\n")
      << "what is to be booted goes first";
}

TEST_F(Rendered, FactsAreBounded) {
  const Answer answer = client_->get("/boot/525400aabbcc.ipxe?uuid=" + std::string(5000, 'x'));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr('|' + std::string(kFactBytesMax, 'x') + '|'));
}

TEST_F(Rendered, KickstartIsASeedForCloudInitToo) {
  for (const std::string file : {"user-data", "meta-data", "vendor-data"}) {
    EXPECT_EQ(client_->get("/ks/token/" + file).body,
              "# 127.0.0.1 " + server_ + " of token/" + file + "\n");
  }
  EXPECT_EQ(client_->get("/ks/token/network-config").status, 404);
}

TEST_F(Rendered, KickstartSeesWhatTheInstallerSaysOfItself) {
  const Answer answer = client_->get("/ks/token",
                                     "X-RHN-Provisioning-MAC-0: eth0 52:54:00:AA:BB:CC\r\n"
                                     "x-rhn-provisioning-mac-1: eth1 525400aabbcd\r\n"
                                     "X-RHN-Provisioning-MAC-2: ib0 nonsense\r\n"
                                     "X-System-Serial-Number: VMware-1\r\n");
  EXPECT_EQ(answer.body,
            "# 127.0.0.1 " + server_ + " VMware-1 52:54:00:aa:bb:cc 52:54:00:aa:bb:cd\n");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
}

TEST_F(Rendered, KickstartFailuresHaveTheirStatus) {
  EXPECT_EQ(client_->get("/ks/expired").status, 404);
  EXPECT_EQ(client_->get("/ks/other").status, 403);
  const Answer busy = client_->get("/ks/busy");
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.header("Retry-After"), "5");
}

TEST_F(Rendered, HeadOfAScriptHasTheLengthOfGet) {
  EXPECT_EQ(client_->head("/ks/token").header("Content-Length"),
            client_->get("/ks/token").header("Content-Length"));
}

TEST_F(Rendered, EventsComeByQueryFormAndText) {
  EXPECT_EQ(client_->get("/v1/event/t1?event=installed&detail=all+is%20well").status, 200);
  EXPECT_EQ(post("/v1/event/t2", "event=failed&detail=disk+full%21").status, 200);
  EXPECT_EQ(post("/v1/event/t3?event=progress", "a=b, and more\n").status, 200);
  const auto all = events();
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].event + '|' + all[0].detail, "installed|all+is well");
  EXPECT_EQ(all[1].event + '|' + all[1].detail, "failed|disk full!");
  EXPECT_EQ(all[2].event + '|' + all[2].detail, "progress|a=b, and more\n");
  EXPECT_EQ(all[2].token + '|' + all[2].client, "t3|127.0.0.1");
}

TEST_F(Rendered, EventsMayBeChunked) {
  client_->send(
      "POST /v1/event/t?event=note HTTP/1.1\r\nHost: pi\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  EXPECT_EQ(client_->receive().status, 200);
  ASSERT_THAT(events(), SizeIs(1));
  EXPECT_EQ(events()[0].detail, "hello world");
}

TEST_F(Rendered, EventsAreRefusedWithoutNameTokenOrMeasure) {
  EXPECT_EQ(client_->get("/v1/event/t").status, 400);
  EXPECT_EQ(client_->get("/v1/event/expired?event=x").status, 404);
  EXPECT_EQ(post("/v1/event/t?event=x", std::string(60'000, 'x')).status, 200);
  EXPECT_EQ(events()[0].detail.size(), kEventDetailBytesMax);
  EXPECT_EQ(post("/v1/event/t?event=x", std::string(70'000, 'x')).status, 413);
}

TEST_F(Rendered, StatusPageShowsReleaseAndInstallsEscaped) {
  const Answer answer = client_->get("/");
  EXPECT_EQ(answer.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("Release r7"));
  EXPECT_THAT(answer.body, HasSubstr("centos7@1708"));
  EXPECT_THAT(answer.body, HasSubstr("web&lt;1&gt;"));
  EXPECT_THAT(answer.body, HasSubstr("packages"));
  EXPECT_THAT(answer.body, Not(HasSubstr("web<1>")));
}

TEST_F(Rendered, HealthIsJson) {
  const Answer answer = client_->get("/v1/health");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const auto json = nlohmann::json::parse(answer.body);
  EXPECT_EQ(json["status"], "ok");
  EXPECT_EQ(json["serving"], true);
  EXPECT_EQ(json["release"], 7);
  EXPECT_EQ(json["site"], "lyon");
}

TEST_F(Rendered, MetricsCountWhatWasServed) {
  client_->get("/images/centos7/f");
  client_->get("/nothing");
  const Answer answer = client_->get("/v1/metrics");
  EXPECT_THAT(answer.body,
              HasSubstr("farboot_http_requests_total{route=\"image\",status=\"2xx\"} 1\n"));
  EXPECT_THAT(answer.body,
              HasSubstr("farboot_http_requests_total{route=\"loader\",status=\"4xx\"} 1\n"));
  EXPECT_THAT(answer.body, HasSubstr("farboot_http_sent_bytes_total{route=\"image\"} 9\n"));
  EXPECT_THAT(answer.body, HasSubstr("farboot_http_connections 1\n"));
}

TEST(RenderedEmpty, AsksClientsToWaitUntilThereIsARelease) {
  LiveSite live;
  live.start();
  RawClient client(live.port());
  for (const auto* path : {"/images/centos7/x", "/undionly.kpxe", "/a/bg.png"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.header("Retry-After"), "5");
  }
  EXPECT_EQ(client.get("/t/" + std::string(64, 'a') + "/x").status, 503);
  EXPECT_EQ(client.get("/boot.ipxe").status, 200);
  EXPECT_EQ(client.get("/autoexec.ipxe").status, 200);
  EXPECT_THAT(client.get("/").body, HasSubstr("No release yet"));
  EXPECT_THAT(client.get("/v1/health").body, HasSubstr("\"serving\":false"));
}

}  // namespace
}  // namespace farboot
