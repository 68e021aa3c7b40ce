#include "agent/doctor/judge.h"

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <set>

namespace farboot::doctor {
namespace {

using ::testing::HasSubstr;

const Ipv4 kRouter = Ipv4::of(10, 4, 0, 1), kOurs = Ipv4::of(10, 4, 0, 2),
           kOther = Ipv4::of(10, 4, 0, 9);

SeenOffer lease(Client asked, Ipv4 server = kRouter) {
  SeenOffer offer;
  offer.asked = asked;
  offer.interface = "eth0";
  offer.server = offer.next_server = server;
  offer.address = Ipv4::of(10, 4, 0, 100);
  return offer;
}

SeenOffer proxy(Client asked, Ipv4 server, std::string file) {
  SeenOffer offer = lease(asked, server);
  offer.address = {};
  offer.class_id = "PXEClient";
  offer.boot_file = std::move(file);
  return offer;
}

/// A site as it should be: a router that gives addresses only, and a release with Debian 12's
/// loaders and an image for x86_64.
Observations clean() {
  Observations seen;
  seen.interfaces = {{"eth0", kOurs}};
  seen.http_url = "http://10.4.0.2";
  seen.release = 7;
  seen.loader_files = {"ipxe.efi", "snponly.efi", "undionly.kpxe"};
  for (const Client client : kClients) seen.offers.push_back(lease(client));
  seen.ports = {{"TFTP, UDP port 69", ""}, {"HTTP, TCP port 80", ""}};
  seen.loaders = {{Client::bios, "undionly.kpxe", true},
                  {Client::uefi_ia32, "", false},
                  {Client::uefi_x64, "snponly.efi", true},
                  {Client::uefi_arm64, "", false}};
  seen.walks = {{Client::bios, "", "undionly.kpxe by TFTP, kernel of centos7"},
                {Client::uefi_x64, "", "snponly.efi by TFTP, kernel of centos7"}};
  return seen;
}

Observations off() {
  Observations seen = clean();
  seen.mode = DhcpMode::off;
  for (SeenOffer& offer : seen.offers) {
    offer.next_server = kOurs;
    offer.boot_file = offer.asked == Client::ipxe ? "http://10.4.0.2/boot.ipxe" : "undionly.kpxe";
  }
  return seen;
}

std::vector<Finding> of(const std::vector<Finding>& all, std::string_view id) {
  std::vector<Finding> found;
  for (const Finding& finding : all)
    if (finding.id == id) found.push_back(finding);
  return found;
}

void change_leases(Observations& seen, const std::function<void(SeenOffer&)>& change) {
  for (SeenOffer& offer : seen.offers) change(offer);
}

TEST(DoctorJudge, WarnsOfNothingAtACleanSite) {
  for (const Observations& seen : {clean(), off()})
    for (const Finding& finding : judge(seen))
      EXPECT_EQ(finding.severity, Severity::ok) << finding.id << ": " << finding.what;
  EXPECT_EQ(of(judge(clean()), "boot.arrived").size(), 2U);
  EXPECT_EQ(of(judge(clean()), "dhcp.server").at(0).where, "10.4.0.1 on eth0");
  EXPECT_EQ(of(judge(clean()), "loader.absent").size(), 2U);
}

TEST(DoctorJudge, LetsASwitchNameOneFileWhereIpxeIsKnownByHowItAsks) {
  Observations seen = off();
  seen.offers[6].boot_file = "undionly.kpxe";
  EXPECT_EQ(of(judge(seen), "off.loader_again").size(), 1U);
  seen.script_for_ipxe = true;
  EXPECT_THAT(of(judge(seen), "off.loader_again"), ::testing::IsEmpty());
}

/// One for each row of the table: what makes it speak, and what it must say.
struct Case {
  Severity severity;
  std::string says;
  std::function<Observations()> seen;
};

template <class Change>
std::function<Observations()> with(Change change, Observations (*base)() = &clean) {
  return [change, base] {
    Observations seen = base();
    change(seen);
    return seen;
  };
}

const std::map<std::string, Case>& cases() {
  using O = Observations;
  static const std::map<std::string, Case> all{
      {"net.no_address",
       {Severity::fail, "no interface", with([](O& o) { o.interfaces.clear(); })}},
      {"net.ports", {Severity::fail, "67: held", with([](O& o) { o.dhcp_trouble = "67: held"; })}},
      {"net.firewall",
       {Severity::fail, "timeout", with([](O& o) { o.ports[0].trouble = "timeout"; })}},
      {"net.no_probe", {Severity::warn, "denied", with([](O& o) {
                          o.probe_trouble = "denied", o.offers.clear();
                        })}},
      {"dhcp.none", {Severity::fail, "no DHCP server", with([](O& o) { o.offers.clear(); })}},
      {"dhcp.several", {Severity::warn, "10.4.0.1, 10.4.0.9", with([](O& o) {
                          o.offers.push_back(lease(Client::plain, kOther));
                        })}},
      {"dhcp.pxe_class",
       {Severity::fail, "'PXEClient'", with([](O& o) { o.offers[1].class_id = "PXEClient"; })}},
      {"dhcp.pxe_class_ours", {Severity::warn, "'PXEClient'", with([](O& o) {
                                 o.offers[1].class_id = "PXEClient";
                                 o.offers[1].next_server = kOurs;
                               })}},
      {"dhcp.boot_file", {Severity::fail, "'pxelinux.0' at 10.4.0.1", with([](O& o) {
                            change_leases(o,
                                          [](SeenOffer& offer) { offer.boot_file = "pxelinux.0"; });
                          })}},
      {"dhcp.boot_file_firmware",
       {Severity::warn, "'pxelinux.0'", with([](O& o) { o.offers[1].boot_file = "pxelinux.0"; })}},
      {"dhcp.ipxe_does_not_wait",
       {Severity::fail, "175.176", with([](O& o) { o.offers[6].ipxe_waits_not = true; })}},
      {"dhcp.other_pxe_server",
       {Severity::fail, "'old.0' at 10.4.0.9 (asked as BIOS)",
        with([](O& o) { o.offers.push_back(proxy(Client::bios, kOther, "old.0")); })}},
      {"off.not_named",
       {Severity::fail, "no DHCP server sends machines to us",
        with([](O& o) { change_leases(o, [](SeenOffer& offer) { offer.boot_file.clear(); }); },
             &off)}},
      {"off.named_elsewhere",
       {Severity::fail, "10.4.0.1", with([](O& o) { o.offers[1].next_server = kRouter; }, &off)}},
      {"off.wrong_file",
       {Severity::fail, "'gone.efi'",
        with([](O& o) { o.offers[3].boot_file = "gone.efi"; }, &off)}},
      {"off.loader_again",
       {Severity::warn, "'undionly.kpxe' again",
        with([](O& o) { o.offers[6].boot_file = "undionly.kpxe"; }, &off)}},
      {"mode.observe", {Severity::warn, "observe", with([](O& o) { o.mode = DhcpMode::observe; })}},
      {"release.none", {Severity::fail, "no release", with([](O& o) {
                          o.release = 0, o.loader_files.clear(), o.loaders.clear(), o.walks.clear();
                        })}},
      {"loader.none",
       {Severity::fail, "r7 holds no boot loaders", with([](O& o) { o.loader_files.clear(); })}},
      {"loader.missing", {Severity::fail, "images for these machines", with([](O& o) {
                            o.loaders[3].wanted = true;
                          })}},
      {"boot.stopped",
       {Severity::fail, "TFTP: timeout", with([](O& o) { o.walks[0].stopped = "TFTP: timeout"; })}},
      {"boot.arrived", {Severity::ok, "kernel of centos7", &clean}},
      {"dhcp.server", {Severity::ok, "gives addresses", &clean}},
      {"dhcp.next_server", {Severity::ok, "names 10.4.0.1 as next server", &clean}},
      {"dhcp.pxe_server", {Severity::ok, "'old.0'", with([](O& o) {
                             o.mode = DhcpMode::observe;
                             o.offers.push_back(proxy(Client::bios, kOther, "old.0"));
                           })}},
      {"dhcp.other_agent", {Severity::ok, "another agent of ours", with([](O& o) {
                              o.offers.push_back(proxy(Client::bios, kOther, "undionly.kpxe"));
                              o.offers.push_back(
                                  proxy(Client::ipxe, kOther, "http://10.4.0.9/boot.ipxe"));
                            })}},
      {"dhcp.lists", {Severity::ok, "dhcp_allow", with([](O& o) { o.only_some_machines = true; })}},
      {"loader.absent", {Severity::ok, "left alone", &clean}},
  };
  return all;
}

TEST(DoctorJudge, SaysWhatEachRowIsFor) {
  std::set<std::string> known;
  for (const std::string_view id : finding_ids()) {
    known.insert(std::string(id));
    ASSERT_EQ(cases().count(std::string(id)), 1U) << "no test for " << id;
  }
  for (const auto& [id, each] : cases()) {
    SCOPED_TRACE(id);
    ASSERT_EQ(known.count(id), 1U);
    const auto found = of(judge(each.seen()), id);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found[0].severity, each.severity);
    EXPECT_THAT(found[0].what, HasSubstr(each.says));
    if (each.severity != Severity::ok) {
      EXPECT_FALSE(found[0].fix.empty());
      // It is this that made it speak: the sites as they should be are silent about it.
      EXPECT_TRUE(of(judge(clean()), id).empty());
      EXPECT_TRUE(of(judge(off()), id).empty());
    }
  }
}

TEST(DoctorJudge, TakesAnotherAgentForNoStranger) {
  const auto found = judge(cases().at("dhcp.other_agent").seen());
  EXPECT_TRUE(of(found, "dhcp.other_pxe_server").empty());
  EXPECT_EQ(worst(found), Severity::ok);
}

TEST(DoctorJudge, TakesOurOwnAnswersForNoStrangers) {
  Observations seen = clean();
  seen.offers.push_back(proxy(Client::bios, kOurs, "undionly.kpxe"));
  EXPECT_EQ(worst(judge(seen)), Severity::ok);
}

TEST(DoctorJudge, LetsALeaseSendIpxeToOurScript) {
  Observations seen = clean();
  seen.offers[6].boot_file = "http://10.4.0.2/boot.ipxe";
  EXPECT_EQ(worst(judge(seen)), Severity::ok);
  seen.offers[6].boot_file = "http://10.4.0.22/boot.ipxe";
  EXPECT_EQ(worst(judge(seen)), Severity::fail);
}

TEST(DoctorJudge, SaysTheWorstFirst) {
  Observations seen = clean();
  seen.offers.push_back(lease(Client::plain, kOther));
  seen.walks[1].stopped = "TFTP: timeout";
  const auto found = judge(seen);
  for (std::size_t i = 1; i < found.size(); ++i)
    EXPECT_LE(found[i].severity, found[i - 1].severity);
  EXPECT_EQ(worst(found), Severity::fail);
}

TEST(DoctorJudge, IsBoundedWhateverOthersSend) {
  Observations seen = clean();
  for (std::uint32_t i = 0; i < 5000; ++i) {
    SeenOffer offer = proxy(Client::bios, Ipv4{0x0b000000 + i}, std::string(5000, '\x1b'));
    offer.interface = std::string(100, '\n');
    seen.offers.push_back(offer);
  }
  seen.walks[0].stopped = std::string(5000, 'x') + "ü";
  const auto found = judge(seen);
  EXPECT_EQ(found.size(), kFindingsMax);
  for (const Finding& finding : found)
    for (const std::string& text : {finding.where, finding.what, finding.fix}) {
      EXPECT_LE(text.size(), kFindingTextMax);
      EXPECT_EQ(text.find_first_of("\n\x1b"), std::string::npos);
    }
}

TEST(DoctorFinding, IsReadBackFromItsJson) {
  const auto found = judge(cases().at("dhcp.boot_file").seen());
  const auto again = findings_from_json(findings_json(found, -1));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, found);
  EXPECT_FALSE(findings_from_json("{}"));
  const auto newer = findings_from_json(R"([{"id": "a", "severity": "awful"}])");
  ASSERT_TRUE(newer) << newer.error().what;
  EXPECT_EQ(newer->at(0).severity, Severity::fail) << "the word of a newer agent";
  EXPECT_FALSE(findings_from_json("[1]"));
}

TEST(DoctorFinding, IsALineAndItsFix) {
  const std::vector<Finding> two{{"a.b", Severity::fail, "10.4.0.1", "answers", "stop it"},
                                 {"c.d", Severity::ok, "", "all is well", ""}};
  EXPECT_EQ(findings_text(two),
            "fail    10.4.0.1: answers [a.b]\n        -> stop it\nok      all is well [c.d]\n");
}

}  // namespace
}  // namespace farboot::doctor
