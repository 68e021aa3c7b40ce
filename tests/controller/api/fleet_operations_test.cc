#include "tests/controller/api/fleet_service_fixture.h"

namespace farboot {
namespace {

TEST_F(FleetServiceTest, EnrolsListsAndRevokesAgents) {
  controller_.add_image("centos7", "1708");
  v1::CreateEnrolmentTokenRequest request;
  request.set_site("lyon");
  v1::EnrolmentToken token;
  EXPECT_THAT(call(&Stub::CreateEnrolmentToken, request, token).error().what,
              HasSubstr("sites/lyon.yaml"));
  ASSERT_TRUE(apply({spec()}));
  controller_.enrol("lyon", "pi1");
  ASSERT_TRUE(call(&Stub::CreateEnrolmentToken, request, token));
  EXPECT_EQ(token.agent(), "pi2") << "the first that is free";
  EXPECT_FALSE(token.token().empty());
  EXPECT_TRUE(controller_.enrolment.redeem(token.token(), IdentityKey::generate().csr_pem()));

  controller_.fleet.on_connected("lyon/pi1", "lyon");
  controller_.fleet.on_report(controller_.report("lyon/pi1"));
  v1::ListAgentsResponse agents;
  ASSERT_TRUE(call(&Stub::ListAgents, v1::ListAgentsRequest(), agents));
  ASSERT_EQ(agents.agents_size(), 2);
  EXPECT_TRUE(agents.agents(0).online());
  EXPECT_EQ(agents.agents(0).disk_free_bytes(), 20'000'000'000u);
  EXPECT_FALSE(agents.agents(1).online());
  v1::RevokeAgentRequest revoke;
  revoke.set_agent("lyon/pi1");
  v1::AgentRecord record;
  ASSERT_TRUE(call(&Stub::RevokeAgent, revoke, record));
  EXPECT_TRUE(record.revoked());
  EXPECT_FALSE(controller_.fleet.reports().agent("lyon/pi1"));
  revoke.set_agent("lyon/pi9");
  EXPECT_EQ(call(&Stub::RevokeAgent, revoke, record).error().code, Errc::not_found);
}

TEST_F(FleetServiceTest, SetsNoHostToWhatCannotBeInstalled) {
  controller_.add_image("centos7", "1708");
  v1::FleetSpec with = spec();
  (*with.mutable_kickstarts())["base"] = "network --ip={{ip}}\n";
  v1::HostSpec& host = *with.mutable_sites(0)->mutable_hosts(0);
  (*host.mutable_variables())["ip"] = "10.0.0.9";
  v1::HostSpec& idle = *with.mutable_sites(0)->add_hosts();
  idle.set_name("web2");
  idle.add_macs("52:54:00:00:00:02");
  ASSERT_TRUE(apply({with}));
  v1::HostRecord record;
  v1::SetHostRequest unset;
  unset.set_host("lyon/web1");
  unset.add_remove_variables("ip");
  const auto refused = call(&Stub::SetHost, unset, record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid);
  EXPECT_THAT(refused.error().what,
              HasSubstr("host web1: r1: kickstart base: line 1: 'ip' is not defined"));
  v1::SetHostRequest entry;
  entry.set_host("lyon/web2");
  entry.set_entry("c7");
  EXPECT_EQ(call(&Stub::SetHost, entry, record).error().code, Errc::invalid);
  (*entry.mutable_variables())["ip"] = "10.0.0.10";
  EXPECT_TRUE(call(&Stub::SetHost, entry, record));
}

TEST_F(FleetServiceTest, OneSiteThatCannotBeReadHidesNoOther) {
  controller_.add_image("centos7", "1708");
  v1::FleetSpec two = spec();
  two.add_sites()->set_name("nice");
  ASSERT_TRUE(apply({two}));
  Transaction rot;
  rot.put("desired/lyon", "rotten");
  ASSERT_TRUE(controller_.state.commit(rot));
  v1::ListSitesResponse sites;
  const auto listed = call(&Stub::ListSites, v1::ListSitesRequest(), sites);
  ASSERT_TRUE(listed) << listed.error().what;
  ASSERT_EQ(sites.sites_size(), 2);
  EXPECT_EQ(sites.sites(0).state(), "broken");
  EXPECT_EQ(sites.sites(1).state(), "no agent");
  v1::FleetStatus status;
  EXPECT_TRUE(call(&Stub::GetStatus, v1::GetStatusRequest(), status));
}

TEST_F(FleetServiceTest, ShowsHostsWithWhatTheirSiteSaysOfThem) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  controller_.enrol("lyon", "pi1");
  AgentReport report = controller_.report("lyon/pi1");
  report.hosts = {
      {"web1", "52:54:00:00:00:01", "packages", "c7", 40, "", controller_.clock.wall()},
      {"52:54:00:00:00:99", "52:54:00:00:00:99", "started", "c7", 0, "", controller_.clock.wall()}};
  controller_.fleet.on_connected("lyon/pi1", "lyon");
  controller_.fleet.on_report(report);
  v1::ListHostsResponse hosts;
  ASSERT_TRUE(call(&Stub::ListHosts, v1::ListHostsRequest(), hosts));
  ASSERT_EQ(hosts.hosts_size(), 2);
  EXPECT_EQ(hosts.hosts(0).name(), "web1");
  EXPECT_EQ(hosts.hosts(0).state(), "packages");
  EXPECT_EQ(hosts.hosts(0).percent(), 40u);
  EXPECT_TRUE(hosts.hosts(0).known());
  EXPECT_FALSE(hosts.hosts(1).known());

  v1::InstallHostRequest install;
  install.set_host("lyon/web1");
  v1::HostRecord host;
  ASSERT_TRUE(call(&Stub::InstallHost, install, host));
  EXPECT_EQ(host.install_order(), 2u);
  v1::SetHostRequest set;
  set.set_host("lyon/web1");
  set.set_entry("c9");
  EXPECT_EQ(call(&Stub::SetHost, set, host).error().code, Errc::not_found);
  set.set_entry("");
  ASSERT_TRUE(call(&Stub::SetHost, set, host));
  EXPECT_EQ(host.entry(), "");
  install.set_host("web1");
  EXPECT_EQ(call(&Stub::InstallHost, install, host).error().code, Errc::invalid);
  v1::FleetStatus status;
  ASSERT_TRUE(call(&Stub::GetStatus, v1::GetStatusRequest(), status));
  EXPECT_EQ(status.installs_running(), 2u);
  EXPECT_EQ(status.agents_online(), 1u);
  EXPECT_EQ(status.site(0).state(), "empty");
}

TEST_F(FleetServiceTest, WatchesARolloutToItsEnd) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  controller_.enrol("lyon", "pi1");
  const Digest release = (*controller_.releases.newest())->digest;
  controller_.fleet.on_connected("lyon/pi1", "lyon");
  controller_.runner.start();
  const std::string id = start_rollout().id();

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + Seconds(120));
  v1::GetRolloutRequest request;
  request.set_id(id);
  const auto stream = admin_->WatchRollout(&context, request);
  v1::Rollout rollout;
  std::vector<v1::TargetState> states;
  while (stream->Read(&rollout)) {
    const v1::TargetState state = rollout.targets(0).state();
    if (states.empty() || states.back() != state) states.push_back(state);
    AgentReport report = controller_.report("lyon/pi1");
    if (state == v1::TARGET_STATE_STAGING) {
      report.staged = release;
      report.ready_proof = controller_.ready_proof("lyon/pi1", release);
    }
    if (state == v1::TARGET_STATE_ACTIVATING) report.active = release;
    controller_.fleet.on_report(report);
  }
  const auto done = to_result(stream->Finish());
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(rollout.state(), v1::ROLLOUT_STATE_DONE);
  EXPECT_EQ(states.back(), v1::TARGET_STATE_ACTIVE);
  EXPECT_EQ(rollout.started_by(), "ada");
  EXPECT_TRUE(rollout.has_finished());
  v1::SiteRecord site;
  v1::GetSiteRequest ask;
  ask.set_site("lyon");
  ASSERT_TRUE(call(&Stub::GetSite, ask, site));
  EXPECT_EQ(site.serve_release(), 1u);
}

TEST_F(FleetServiceTest, EndsAWatchWhenTheControllerStops) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  start_rollout();
  grpc::ClientContext context;
  const auto stream = admin_->WatchRollout(&context, v1::GetRolloutRequest());
  v1::Rollout rollout;
  ASSERT_TRUE(stream->Read(&rollout));
  controller_.stop();
  while (stream->Read(&rollout)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(FleetServiceTest, PausesResumesAndAborts) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  start_rollout();
  v1::ChangeRolloutRequest request;
  request.set_reason("lunch");
  v1::Rollout rollout;
  ASSERT_TRUE(call(&Stub::PauseRollout, request, rollout));
  EXPECT_EQ(rollout.state(), v1::ROLLOUT_STATE_PAUSED);
  EXPECT_EQ(rollout.reason(), "lunch");
  ASSERT_TRUE(call(&Stub::ResumeRollout, request, rollout));
  ASSERT_TRUE(call(&Stub::AbortRollout, request, rollout));
  EXPECT_EQ(rollout.state(), v1::ROLLOUT_STATE_ABORTED);
  EXPECT_EQ(call(&Stub::AbortRollout, request, rollout).error().code, Errc::conflict);
  v1::ListRolloutsResponse rollouts;
  ASSERT_TRUE(call(&Stub::ListRollouts, v1::ListRolloutsRequest(), rollouts));
  ASSERT_EQ(rollouts.rollouts_size(), 1);
  EXPECT_TRUE(rollouts.rollouts(0).targets().empty());
}

TEST_F(FleetServiceTest, SaysPlainlyWhatItCannotDoYet) {
  const auto code = [&](auto method, const auto& request, auto answer) {
    grpc::ClientContext context;
    return (*admin_.*method)(&context, request, &answer).error_code();
  };
  const auto stream_code = [&](auto method, const auto& request, auto piece) {
    grpc::ClientContext context;
    const auto stream = (*admin_.*method)(&context, request);
    EXPECT_FALSE(stream->Read(&piece));
    return stream->Finish().error_code();
  };
  const auto unknown = grpc::StatusCode::UNIMPLEMENTED;
  const v1::ChangeRolloutRequest rollout;
  EXPECT_EQ(code(&Stub::AdvanceRollout, rollout, v1::Rollout()), unknown);
  EXPECT_EQ(code(&Stub::RollBackRollout, rollout, v1::Rollout()), unknown);
  EXPECT_EQ(code(&Stub::RenderHost, v1::RenderHostRequest(), v1::RenderHostResponse()), unknown);
  EXPECT_EQ(code(&Stub::ExplainHost, v1::ExplainHostRequest(), v1::ExplainHostResponse()), unknown);
  EXPECT_EQ(code(&Stub::ListAudit, v1::ListAuditRequest(), v1::ListAuditResponse()), unknown);
  EXPECT_EQ(code(&Stub::GetUnsignedRelease, v1::GetUnsignedReleaseRequest(), v1::UnsignedRelease()),
            unknown);
  EXPECT_EQ(code(&Stub::PutSignedRelease, v1::SignedRelease(), v1::ReleaseRecord()), unknown);
  EXPECT_EQ(code(&Stub::ListEnrolmentTokens, v1::ListEnrolmentTokensRequest(),
                 v1::ListEnrolmentTokensResponse()),
            unknown);
  EXPECT_EQ(code(&Stub::RevokeEnrolmentToken, v1::RevokeEnrolmentTokenRequest(),
                 v1::EnrolmentTokenRecord()),
            unknown);
  EXPECT_EQ(code(&Stub::SetSecret, v1::SetSecretRequest(), v1::SecretRecord()), unknown);
  EXPECT_EQ(code(&Stub::ListSecrets, v1::ListSecretsRequest(), v1::ListSecretsResponse()), unknown);
  EXPECT_EQ(code(&Stub::RemoveSecret, v1::RemoveSecretRequest(), v1::SecretRecord()), unknown);
  EXPECT_EQ(stream_code(&Stub::ExportBundle, v1::ExportBundleRequest(), v1::BundlePiece()),
            unknown);
  EXPECT_EQ(stream_code(&Stub::BackupController, v1::BackupControllerRequest(), v1::BackupPiece()),
            unknown);
  grpc::ClientContext context;
  v1::RestoreControllerResponse restored;
  const auto writer = admin_->RestoreController(&context, &restored);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), unknown);
}

TEST_F(FleetServiceTest, RefusesLimitsAndGatesItWouldNotObey) {
  controller_.add_image("centos7", "1708");
  v1::FleetSpec windowed = spec();
  windowed.mutable_sites(0)->mutable_limits()->add_wan_windows()->set_minutes(60);
  const auto window = apply({windowed});
  ASSERT_FALSE(window);
  EXPECT_EQ(window.error().code, Errc::invalid);
  EXPECT_THAT(window.error().what, HasSubstr("site lyon: limits: time windows"));
  v1::FleetSpec zoned = spec();
  zoned.mutable_sites(0)->mutable_limits()->set_time_zone("Europe/Paris");
  EXPECT_FALSE(apply({zoned}));

  ASSERT_TRUE(apply({spec()}));
  v1::StartRolloutRequest request;
  request.set_release("r1");
  request.add_waves()->add_selectors("all");
  v1::Rollout rollout;
  request.mutable_policy()->set_self_boot_required(true);
  const auto self_boot = call(&Stub::StartRollout, request, rollout);
  ASSERT_FALSE(self_boot);
  EXPECT_EQ(self_boot.error().code, Errc::invalid);
  EXPECT_THAT(self_boot.error().what, HasSubstr("self_boot_required"));
  request.mutable_policy()->set_self_boot_required(false);
  request.mutable_policy()->set_install_failures_max(0);
  const auto failures = call(&Stub::StartRollout, request, rollout);
  ASSERT_FALSE(failures);
  EXPECT_EQ(failures.error().code, Errc::invalid);
  EXPECT_THAT(failures.error().what, HasSubstr("install_failures_max"));
  request.mutable_policy()->clear_install_failures_max();
  EXPECT_TRUE(call(&Stub::StartRollout, request, rollout));
}

}  // namespace
}  // namespace farboot
