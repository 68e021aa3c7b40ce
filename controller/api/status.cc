#include "controller/api/handlers.h"

#include <algorithm>

namespace farboot {
namespace {

void fill(v1::Refusals& out, const Refusals& refused) {
  out.set_handshakes(refused.handshakes);
  out.set_tokens(refused.tokens);
  out.set_agents(refused.agents);
  out.set_fetches(refused.fetches);
  out.set_proofs(refused.proofs);
  out.set_operators(refused.operators);
  out.set_releases(refused.releases);
}

}  // namespace

grpc::Status FleetService::Handlers::GetController(Context* context,
                                                   const v1::GetControllerRequest*,
                                                   v1::Controller* out) {
  return answer(context, "GetController", Role::viewer, Kind::look,
                [&](const PeerIdentity& caller) -> Result<void> {
                  const auto usage = parts_.content.usage();
                  if (!usage) return usage.error();
                  out->set_version(parts_.version);
                  out->set_ca_fingerprint(parts_.authority.fingerprint());
                  *out->mutable_started() = to_proto(started_);
                  *out->mutable_now() = to_proto(parts_.clock.wall());
                  *out->mutable_content() = to_proto(*usage);
                  out->set_operator_name(caller.name);
                  out->set_operator_role(std::string(to_string(caller.role)));
                  return {};
                });
}

grpc::Status FleetService::Handlers::GetStatus(Context* context, const v1::GetStatusRequest*,
                                               v1::FleetStatus* out) {
  return answer(context, "GetStatus", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto usage = parts_.content.usage();
                  if (!usage) return usage.error();
                  const auto images = parts_.images.images();
                  if (!images) return images.error();
                  const auto sites = parts_.fleet.sites();
                  if (!sites) return sites.error();
                  const auto agents = parts_.enrolment.agents();
                  if (!agents) return agents.error();
                  const auto numbers = parts_.releases.numbers();
                  if (!numbers) return numbers.error();
                  const auto rollouts = parts_.rollouts.unfinished();
                  if (!rollouts) return rollouts.error();

                  // Read from no document: that one was changed is to be told here.
                  std::uint64_t newest = 0;
                  for (const auto& [digest, number] : *numbers) newest = std::max(newest, number);
                  out->set_newest_release(newest);
                  out->set_images(static_cast<std::uint32_t>(images->size()));
                  out->set_sites(static_cast<std::uint32_t>(sites->size()));
                  out->set_rollouts_running(static_cast<std::uint32_t>(rollouts->size()));
                  std::uint32_t enrolled = 0, online = 0, hosts = 0, installs = 0;
                  const SiteReports reports = site_reports();
                  for (const Site& site : *sites) {
                    auto record = site_record(site, *numbers, *agents, reports);
                    if (!record) return record.error();
                    hosts += record->hosts_total();
                    installs += record->installs_running();
                    *out->add_site() = std::move(*record);
                  }
                  for (const AgentRecord& agent : *agents) {
                    if (agent.revoked) continue;
                    ++enrolled;
                    const auto status = parts_.fleet.reports().agent(agent.id);
                    online += status && status->online;
                  }
                  out->set_agents(enrolled);
                  out->set_agents_online(online);
                  out->set_hosts(hosts);
                  out->set_installs_running(installs);
                  *out->mutable_content() = to_proto(*usage);
                  *out->mutable_now() = to_proto(parts_.clock.wall());
                  if (parts_.refusals) fill(*out->mutable_refusals(), parts_.refusals());
                  return {};
                });
}

}  // namespace farboot
