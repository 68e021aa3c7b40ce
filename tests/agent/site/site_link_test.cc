#include "agent/site/site_link.h"

#include <gtest/gtest.h>

#include "agent/link/identity.h"
#include "tests/support/site_bench.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

using testing::SiteBench;

/// As enrolment leaves it; nobody listens at the address.
void enrol_as(const TempFolder& folder, const std::string& site, const std::string& name) {
  IdentityKey key = IdentityKey::generate();
  const std::string pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const Credentials credentials{pem, pem, key.to_pem()};
  const auto verify_key = SigningKey::generate().verify_key();
  const auto stored =
      store_identity(folder.path(), AgentIdentity{site + "/" + name, site, name, "127.0.0.1:1",
                                                  credentials, std::move(key), verify_key});
  ASSERT_TRUE(stored) << stored.error().what;
}

class SiteLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bench_.open();
    link_.emplace(SiteLink::Parts{.content = *bench_.card.content,
                                  .state = bench_.state,
                                  .catalog = bench_.catalog,
                                  .hosts = *bench_.book,
                                  .loop = bench_.loop,
                                  .disk = bench_.disk,
                                  .clock = system_clock(),
                                  .state_dir = folder_.path(),
                                  .version = "test",
                                  .dhcp_mode = "off"});
    link_->start();
  }
  void TearDown() override {
    link_->stop();
    bench_.settle();  // it is looking at the disk, perhaps
    link_.reset();
  }

  /// Runs the loop until the link speaks for `agent`; false: it never did.
  bool becomes(const std::string& agent) {
    bench_.loop.restart();
    const auto end = std::chrono::steady_clock::now() + Seconds(60);
    while (link_->status().agent != agent && std::chrono::steady_clock::now() < end)
      bench_.loop.run_one_for(Milliseconds(100));
    return link_->status().agent == agent;
  }

  TempFolder folder_;
  SiteBench bench_;
  std::optional<SiteLink> link_;
};

TEST_F(SiteLinkTest, TakesUpAnIdentityWhileItRuns) {
  enrol_as(folder_, "lyon", "pi1");
  EXPECT_TRUE(becomes("lyon/pi1"));
}

/// A Pi moves to another site, or is revoked and enrolled again.
TEST_F(SiteLinkTest, TakesUpTheIdentityThatReplacesAnother) {
  enrol_as(folder_, "lyon", "pi1");
  ASSERT_TRUE(becomes("lyon/pi1"));
  DesiredState desired;
  desired.site = "lyon";
  desired.hosts.push_back({.name = "web1", .macs = {"52:54:00:00:00:01"}, .entry = "centos7"});
  ASSERT_TRUE(bench_.run(bench_.book->apply(desired)));
  EXPECT_EQ(link_->to_tell(9).hosts.size(), 1U);
  enrol_as(folder_, "oslo", "pi7");
  EXPECT_TRUE(becomes("oslo/pi7"));
  EXPECT_TRUE(link_->to_tell(9).hosts.empty()) << "oslo's controller must not take lyon's hosts";
  desired.site = "oslo";
  ASSERT_TRUE(bench_.run(bench_.book->apply(desired)));
  EXPECT_EQ(link_->to_tell(9).hosts.size(), 1U);
}

}  // namespace
}  // namespace farboot
