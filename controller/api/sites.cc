#include <algorithm>
#include <iterator>

#include "common/base/log.h"
#include "controller/api/handlers.h"
#include "controller/fleet/template_needs.h"

namespace farboot {
namespace {

constexpr Seconds kTokenLife{3600};
constexpr std::uint32_t kTokenLifeSecondsMax = 7 * 24 * 3600;
constexpr unsigned kAgentsPerSiteMax = 1000;

bool install_runs(std::string_view state) {
  return state == "started" || state == "kickstart" || state == "packages";
}

bool same_machine(const HostSpec& host, const HostReport& report) {
  return host.name == report.host ||
         std::find(host.macs.begin(), host.macs.end(), report.mac) != host.macs.end();
}

/// In a word, how the site stands to what it is to have.
std::string site_state(const DesiredState& desired, const std::vector<AgentStatus>& agents) {
  if (agents.empty()) return "no agent";
  bool online = false, current = true, staging = false;
  for (const AgentStatus& agent : agents) {
    if (!agent.online) continue;
    online = true;
    const AgentReport& report = agent.report;
    current = current && report.desired_number == desired.number &&
              (!desired.serve || report.active == desired.serve) &&
              (!desired.stage || report.staged == desired.stage || report.active == desired.stage);
    staging = staging || report.step == TransferStep::offer || report.step == TransferStep::want ||
              report.step == TransferStep::chunk;
  }
  if (!online) return "offline";
  if (staging) return "staging";
  if (!desired.serve && !desired.stage) return "empty";
  return current ? "current" : "behind";
}

}  // namespace

Result<std::pair<std::string, std::string>> split_host(const std::string& id) {
  const std::size_t slash = id.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == id.size())
    return fail(Errc::invalid, "host {}: want site/host", printable(id));
  return std::pair(id.substr(0, slash), id.substr(slash + 1));
}

Result<v1::SiteRecord> FleetService::Handlers::site_record(const Site& site,
                                                           const ReleaseNumbers& numbers,
                                                           const std::vector<AgentRecord>& agents,
                                                           const SiteReports& reports) const {
  v1::SiteRecord out;
  out.set_name(site.name);
  for (const auto& [name, value] : site.labels) (*out.mutable_labels())[name] = value;
  for (const auto& [name, value] : site.variables) (*out.mutable_variables())[name] = value;
  out.mutable_limits()->set_wan_bytes_per_second(site.limits.wan_bytes_per_second);
  out.mutable_limits()->set_installs_at_once_max(site.limits.installs_at_once_max);
  const auto desired = parts_.fleet.desired(site.name);
  if (!desired) {
    // One site that cannot be read hides none of the others.
    log::error("api.site_broken", log::kv("site", site.name),
               log::kv("error", desired.error().what));
    out.set_state("broken");
    out.set_hosts_total(static_cast<std::uint32_t>(site.hosts.size()));
    return out;
  }
  out.set_desired_number(desired->number);
  const auto number = [&](const std::optional<Digest>& digest) {
    const auto found = digest ? numbers.find(*digest) : numbers.end();
    return found == numbers.end() ? 0 : found->second;
  };
  out.set_stage_release(number(desired->stage));
  out.set_serve_release(number(desired->serve));
  std::vector<AgentStatus> known;
  for (const AgentRecord& agent : agents) {
    if (agent.site != site.name || agent.revoked) continue;
    const auto status = parts_.fleet.reports().agent(agent.id);
    *out.add_agents() = to_proto(agent, status, numbers);
    known.push_back(status.value_or(AgentStatus{}));
  }
  out.set_state(site_state(*desired, known));
  out.set_hosts_total(static_cast<std::uint32_t>(site.hosts.size()));
  std::uint32_t installs = 0;
  for (const v1::HostRecord& host : host_records(site, reports))
    installs += install_runs(host.state());
  out.set_installs_running(installs);
  return out;
}

/// In the order of what they say.
FleetService::Handlers::SiteReports FleetService::Handlers::site_reports() const {
  SiteReports out;
  for (AgentStatus& agent : parts_.fleet.reports().agents()) {
    std::vector<HostReport>& hosts = out[agent.report.site];
    std::move(agent.report.hosts.begin(), agent.report.hosts.end(), std::back_inserter(hosts));
  }
  for (auto& [site, hosts] : out)
    std::stable_sort(hosts.begin(), hosts.end(), [](const HostReport& a, const HostReport& b) {
      // An agent that has nothing to do with a machine does not hide who has.
      return std::pair(a.state != "idle", a.since) < std::pair(b.state != "idle", b.since);
    });
  return out;
}

/// The hosts the fleet knows, each with the newest report of it, then machines nobody named.
std::vector<v1::HostRecord> FleetService::Handlers::host_records(const Site& site,
                                                                 const SiteReports& all) {
  static const std::vector<HostReport> kNone;
  const auto found = all.find(site.name);
  const std::vector<HostReport>& reports = found == all.end() ? kNone : found->second;
  std::vector<v1::HostRecord> out;
  for (const HostSpec& host : site.hosts) {
    out.push_back(to_proto(site.name, host));
    for (const HostReport& report : reports)
      if (same_machine(host, report)) add_report(out.back(), report);
  }
  std::map<std::string, v1::HostRecord> strangers;
  for (const HostReport& report : reports) {
    if (std::any_of(site.hosts.begin(), site.hosts.end(),
                    [&](const HostSpec& host) { return same_machine(host, report); }))
      continue;
    v1::HostRecord& record = strangers[report.host];
    record.set_site(site.name);
    record.set_name(report.host);
    record.clear_macs();
    if (!report.mac.empty()) record.add_macs(report.mac);
    record.set_entry(report.entry);
    add_report(record, report);
  }
  for (auto& [name, record] : strangers) out.push_back(std::move(record));
  return out;
}

grpc::Status FleetService::Handlers::ListSites(Context* context, const v1::ListSitesRequest*,
                                               v1::ListSitesResponse* out) {
  return answer(context, "ListSites", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto sites = parts_.fleet.sites();
                  if (!sites) return sites.error();
                  const auto numbers = parts_.releases.numbers();
                  if (!numbers) return numbers.error();
                  const auto agents = parts_.enrolment.agents();
                  if (!agents) return agents.error();
                  const SiteReports reports = site_reports();
                  for (const Site& site : *sites) {
                    auto record = site_record(site, *numbers, *agents, reports);
                    if (!record) return record.error();
                    *out->add_sites() = std::move(*record);
                  }
                  return {};
                });
}

grpc::Status FleetService::Handlers::GetSite(Context* context, const v1::GetSiteRequest* request,
                                             v1::SiteRecord* out) {
  return answer(context, "GetSite", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto site = parts_.fleet.site(request->site());
                  if (!site) return site.error();
                  const auto numbers = parts_.releases.numbers();
                  if (!numbers) return numbers.error();
                  const auto agents = parts_.enrolment.agents();
                  if (!agents) return agents.error();
                  const SiteReports reports = site_reports();
                  auto record = site_record(*site, *numbers, *agents, reports);
                  if (!record) return record.error();
                  *out = std::move(*record);
                  for (v1::HostRecord& host : host_records(*site, reports))
                    *out->add_hosts() = std::move(host);
                  return {};
                });
}

Result<std::string> FleetService::Handlers::free_agent_name(const std::string& site) const {
  const auto agents = parts_.enrolment.agents();
  if (!agents) return agents.error();
  for (unsigned i = 1; i <= kAgentsPerSiteMax; ++i) {
    std::string name = fmt::format("pi{}", i);
    const std::string id = fmt::format("{}/{}", site, name);
    if (std::none_of(agents->begin(), agents->end(),
                     [&](const AgentRecord& agent) { return agent.id == id && !agent.revoked; }))
      return name;
  }
  return fail(Errc::exhausted, "site {}: has {} agents", site, kAgentsPerSiteMax);
}

grpc::Status FleetService::Handlers::CreateEnrolmentToken(
    Context* context, const v1::CreateEnrolmentTokenRequest* request, v1::EnrolmentToken* out) {
  return answer(
      context, "CreateEnrolmentToken", Role::admin, Kind::change,
      [&](const PeerIdentity&) -> Result<void> {
        const auto site = parts_.fleet.site(request->site());
        if (!site && site.error().code == Errc::not_found)
          return fail(Errc::not_found,
                      "site {}: does not exist; write sites/{}.yaml in the fleet directory and "
                      "`farboot apply` it first",
                      printable(request->site()), printable(request->site()));
        if (!site) return site.error();
        if (request->ttl_seconds() > kTokenLifeSecondsMax)
          return fail(Errc::invalid, "ttl: at most {} seconds", kTokenLifeSecondsMax);
        TokenRequest wanted;
        wanted.site = site->name;
        wanted.agent = request->agent();
        if (wanted.agent.empty()) {
          auto name = free_agent_name(site->name);
          if (!name) return name.error();
          wanted.agent = std::move(*name);
        }
        wanted.ttl = request->ttl_seconds() == 0 ? kTokenLife : Seconds(request->ttl_seconds());
        wanted.controller_address =
            request->controller_address().empty() ? parts_.address : request->controller_address();
        const auto token = parts_.enrolment.create_token(wanted);
        if (!token) return token.error();
        out->set_token(*token);
        out->set_site(wanted.site);
        out->set_agent(wanted.agent);
        *out->mutable_expires() = to_proto(parts_.clock.wall() + wanted.ttl);
        return {};
      });
}

grpc::Status FleetService::Handlers::ListAgents(Context* context,
                                                const v1::ListAgentsRequest* request,
                                                v1::ListAgentsResponse* out) {
  return answer(
      context, "ListAgents", Role::viewer, Kind::look, [&](const PeerIdentity&) -> Result<void> {
        const auto agents = parts_.enrolment.agents();
        if (!agents) return agents.error();
        const auto numbers = parts_.releases.numbers();
        if (!numbers) return numbers.error();
        for (const AgentRecord& agent : *agents)
          if (request->site().empty() || request->site() == agent.site)
            *out->add_agents() = to_proto(agent, parts_.fleet.reports().agent(agent.id), *numbers);
        return {};
      });
}

grpc::Status FleetService::Handlers::RevokeAgent(Context* context,
                                                 const v1::RevokeAgentRequest* request,
                                                 v1::AgentRecord* out) {
  return answer(context, "RevokeAgent", Role::admin, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto known = parts_.enrolment.agent(request->agent());
                  if (!known) return known.error();
                  const auto revoked = parts_.enrolment.revoke(known->id);
                  if (!revoked) return revoked.error();
                  parts_.fleet.forget_agent(known->id);
                  const auto agent = parts_.enrolment.agent(known->id);
                  if (!agent) return agent.error();
                  *out = to_proto(*agent, std::nullopt, {});
                  return {};
                });
}

grpc::Status FleetService::Handlers::ListHosts(Context* context,
                                               const v1::ListHostsRequest* request,
                                               v1::ListHostsResponse* out) {
  return answer(context, "ListHosts", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  std::vector<Site> sites;
                  if (request->site().empty()) {
                    auto all = parts_.fleet.sites();
                    if (!all) return all.error();
                    sites = std::move(*all);
                  } else {
                    auto one = parts_.fleet.site(request->site());
                    if (!one) return one.error();
                    sites.push_back(std::move(*one));
                  }
                  const SiteReports reports = site_reports();
                  for (const Site& site : sites)
                    for (v1::HostRecord& host : host_records(site, reports))
                      *out->add_hosts() = std::move(host);
                  return {};
                });
}

/// The host can be installed with what its site has and with the newest release. Errors: invalid.
Result<void> FleetService::Handlers::check_host(const Site& before, const std::string& host,
                                                const Fleet::HostChange& change) const {
  Site after = before;
  auto found = std::find_if(after.hosts.begin(), after.hosts.end(),
                            [&](const HostSpec& each) { return each.name == host; });
  if (found == after.hosts.end()) {
    found = after.hosts.emplace(after.hosts.end());
    found->name = host;
  }
  if (change.entry) found->entry = *change.entry;
  for (const auto& [name, value] : change.variables) found->variables[name] = value;
  for (const std::string& name : change.remove_variables) found->variables.erase(name);
  const auto newest = parts_.releases.newest();
  if (!newest) return newest.error();
  const auto desired = parts_.fleet.desired(after.name);
  if (!desired) return desired.error();
  std::set<Digest> releases;
  if (*newest) releases.insert((*newest)->digest);
  for (const auto& release : {desired->serve, desired->stage})
    if (release) releases.insert(*release);
  for (const Digest& digest : releases) {
    const auto release = parts_.releases.find(digest);
    if (!release) return release.error();
    for (const BrokenTemplate& broken : newly_broken(release->release, before, after))
      if (broken.host == host)
        return fail(Errc::invalid, "{}; give it with --var NAME=VALUE",
                    to_string(broken, release->release));
  }
  return {};
}

grpc::Status FleetService::Handlers::SetHost(Context* context, const v1::SetHostRequest* request,
                                             v1::HostRecord* out) {
  return answer(context, "SetHost", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto id = split_host(request->host());
                  if (!id) return id.error();
                  Fleet::HostChange change;
                  if (request->has_entry()) change.entry = request->entry();
                  if (request->has_uuid()) change.uuid = request->uuid();
                  if (request->has_serial()) change.serial = request->serial();
                  change.macs = {request->macs().begin(), request->macs().end()};
                  change.variables = {request->variables().begin(), request->variables().end()};
                  change.remove_variables = {request->remove_variables().begin(),
                                             request->remove_variables().end()};
                  if (change.entry && !change.entry->empty()) {
                    const auto newest = parts_.releases.newest();
                    if (!newest) return newest.error();
                    if (!*newest || (*newest)->release.entry(*change.entry) == nullptr)
                      return fail(Errc::not_found,
                                  "host {}: entry {}: is not in the newest release; `farboot "
                                  "release show` lists its entries",
                                  request->host(), printable(*change.entry));
                  }
                  const auto site = parts_.fleet.site(id->first);
                  if (!site) return site.error();
                  const auto fit = check_host(*site, id->second, change);
                  if (!fit) return fit.error();
                  const auto host = parts_.fleet.set_host(id->first, id->second, change);
                  if (!host) return host.error();
                  *out = to_proto(id->first, *host);
                  return {};
                });
}

grpc::Status FleetService::Handlers::InstallHost(Context* context,
                                                 const v1::InstallHostRequest* request,
                                                 v1::HostRecord* out) {
  return answer(context, "InstallHost", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto id = split_host(request->host());
                  if (!id) return id.error();
                  const auto host = parts_.fleet.order_install(id->first, id->second);
                  if (!host) return host.error();
                  *out = to_proto(id->first, *host);
                  return {};
                });
}

}  // namespace farboot
