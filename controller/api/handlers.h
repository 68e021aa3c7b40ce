// The handlers behind FleetService, in one class and several files.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "common/base/guarded.h"
#include "common/base/log_limit.h"
#include "common/rpc/identity.h"
#include "controller/api/convert.h"
#include "controller/api/fleet_service.h"
#include "controller/fleet/apply.h"
#include "controller/release/sweeper.h"
#include "farboot/v1/fleet.grpc.pb.h"

namespace farboot {

class FleetService::Handlers final : public v1::FleetService::Service {
 public:
  explicit Handlers(Parts parts);
  void stop() { stopping_ = true; }

  using Context = grpc::ServerContext;
  using Status = grpc::Status;

  // status.cc
  Status GetController(Context*, const v1::GetControllerRequest*, v1::Controller*) override;
  Status GetStatus(Context*, const v1::GetStatusRequest*, v1::FleetStatus*) override;
  // images.cc
  Status ImportImage(Context*, const v1::ImportImageRequest*,
                     grpc::ServerWriter<v1::ImportImageEvent>*) override;
  Status ListImages(Context*, const v1::ListImagesRequest*, v1::ListImagesResponse*) override;
  Status GetImage(Context*, const v1::GetImageRequest*, v1::ImageRecord*) override;
  Status RemoveImage(Context*, const v1::RemoveImageRequest*, v1::RemoveImageResponse*) override;
  Status ImportLoaders(Context*, const v1::ImportLoadersRequest*, v1::LoaderSet*) override;
  Status RemoveLoaders(Context*, const v1::RemoveLoadersRequest*, v1::LoaderSet*) override;
  Status GetLoaders(Context*, const v1::GetLoadersRequest*, v1::LoaderSet*) override;
  // releases.cc
  Status DiffFleet(Context*, grpc::ServerReader<v1::FleetSpec>*, v1::FleetDiff*) override;
  Status ApplyFleet(Context*, grpc::ServerReader<v1::FleetSpec>*, v1::ApplyFleetResponse*) override;
  Status ListReleases(Context*, const v1::ListReleasesRequest*, v1::ListReleasesResponse*) override;
  Status GetRelease(Context*, const v1::GetReleaseRequest*, v1::ReleaseRecord*) override;
  // sites.cc
  Status ListSites(Context*, const v1::ListSitesRequest*, v1::ListSitesResponse*) override;
  Status GetSite(Context*, const v1::GetSiteRequest*, v1::SiteRecord*) override;
  Status CreateEnrolmentToken(Context*, const v1::CreateEnrolmentTokenRequest*,
                              v1::EnrolmentToken*) override;
  Status ListAgents(Context*, const v1::ListAgentsRequest*, v1::ListAgentsResponse*) override;
  Status RevokeAgent(Context*, const v1::RevokeAgentRequest*, v1::AgentRecord*) override;
  Status ListHosts(Context*, const v1::ListHostsRequest*, v1::ListHostsResponse*) override;
  Status SetHost(Context*, const v1::SetHostRequest*, v1::HostRecord*) override;
  Status InstallHost(Context*, const v1::InstallHostRequest*, v1::HostRecord*) override;
  // diagnose.cc
  Status DiagnoseSite(Context*, const v1::DiagnoseSiteRequest*, v1::DiagnoseSiteResponse*) override;
  // operators.cc
  Status IssueOperator(Context*, const v1::IssueOperatorRequest*,
                       v1::IssueOperatorResponse*) override;
  Status ListOperators(Context*, const v1::ListOperatorsRequest*,
                       v1::ListOperatorsResponse*) override;
  Status RevokeOperator(Context*, const v1::RevokeOperatorRequest*,
                        v1::RevokeOperatorResponse*) override;
  // rollouts.cc
  Status StartRollout(Context*, const v1::StartRolloutRequest*, v1::Rollout*) override;
  Status GetRollout(Context*, const v1::GetRolloutRequest*, v1::Rollout*) override;
  Status ListRollouts(Context*, const v1::ListRolloutsRequest*, v1::ListRolloutsResponse*) override;
  Status WatchRollout(Context*, const v1::GetRolloutRequest*,
                      grpc::ServerWriter<v1::Rollout>*) override;
  Status PauseRollout(Context*, const v1::ChangeRolloutRequest*, v1::Rollout*) override;
  Status ResumeRollout(Context*, const v1::ChangeRolloutRequest*, v1::Rollout*) override;
  Status AbortRollout(Context*, const v1::ChangeRolloutRequest*, v1::Rollout*) override;

 private:
  /// The door of every call: the caller's certificate and role, then `handle`, then our error as a
  /// status. A library's exception ends here as `internal`. Calls that change something are logged.
  enum class Kind {
    look,
    change
  };
  Status answer(Context* context, std::string_view call, Role least, Kind kind,
                const std::function<Result<void>(const PeerIdentity&)>& handle);
  /// Errors: denied, which is logged.
  Result<PeerIdentity> let_in(const Context& context, std::string_view call, Role least);
  bool gone(const Context* context) const { return stopping_ || context->IsCancelled(); }

  Result<ImageRecord> run_import(Context* context, const v1::ImportImageRequest& request,
                                 grpc::ServerWriter<v1::ImportImageEvent>& writer);
  void reclaim(const std::string& own_journal);
  void give_up_old_imports(const std::string& own_journal);
  Result<void> check_unused(const ImageRecord& record) const;
  Result<v1::ImageRecord> full_record(const ImageRecord& record) const;
  /// Sites with agents that are enrolled and not revoked.
  Result<std::set<std::string>> occupied_sites() const;
  /// What the agents last said of machines, by site: one look for all of them.
  using SiteReports = std::map<std::string, std::vector<HostReport>, std::less<>>;
  Result<v1::SiteRecord> site_record(const Site& site, const ReleaseNumbers& numbers,
                                     const std::vector<AgentRecord>& agents,
                                     const SiteReports& reports) const;
  SiteReports site_reports() const;
  static std::vector<v1::HostRecord> host_records(const Site& site, const SiteReports& all);
  Result<void> check_host(const Site& before, const std::string& host,
                          const Fleet::HostChange& change) const;
  Result<v1::Rollout> rollout_record(const Rollout& rollout) const;
  Result<std::string> free_agent_name(const std::string& site) const;

  Parts parts_;
  WallTime started_;
  Sweeper sweeper_;
  Applier applier_;
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> imports_{0};
  Guarded<std::set<std::string>> sources_;  ///< being imported, or waiting for their turn
  /// An import left something of no use, and another one was under way or may be repeated. So it
  /// may have been before this process, which would not know.
  std::atomic<bool> sweep_owed_{true};
  std::atomic<unsigned> watchers_{0};
  std::atomic<unsigned> diagnoses_{0};
  Guarded<LogLimit> denied_lines_;
};

/// `lyon/web1` → both parts. Errors: invalid.
Result<std::pair<std::string, std::string>> split_host(const std::string& id);

}  // namespace farboot
