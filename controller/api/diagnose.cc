#include "common/base/log.h"
#include "controller/api/handlers.h"

namespace farboot {
namespace {

/// The fleet's word for a severity of the link's.
std::string fleet_severity(const std::string& severity) {
  if (severity == "fail") return "error";
  return severity == "warn" ? "warning" : severity;
}

void add(v1::DiagnoseSiteResponse& out, const std::string& agent, const AgentFinding& finding) {
  v1::Finding& to = *out.add_findings();
  to.set_agent(agent);
  to.set_check(finding.check);
  to.set_severity(fleet_severity(finding.severity));
  to.set_text(finding.text);
  to.set_advice(finding.advice);
}

/// An agent that cannot be asked is a finding like others: its site may be in the dark.
AgentFinding unasked(const Error& error) {
  if (error.code == Errc::timeout)
    return {"agent.silent", "fail", "the agent did not answer: " + error.what,
            "run `farboot-agent doctor` there; an agent of an older version knows no doctor"};
  return {"agent.offline", "fail", "the agent did not answer: " + error.what,
          "look at its power and its line, and at `farboot agent list`; on the Pi itself "
          "`farboot-agent doctor` works without the controller"};
}

}  // namespace

grpc::Status FleetService::Handlers::DiagnoseSite(Context* context,
                                                  const v1::DiagnoseSiteRequest* request,
                                                  v1::DiagnoseSiteResponse* out) {
  return answer(context, "DiagnoseSite", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto site = parts_.fleet.site(request->site());
                  if (!site) return site.error();
                  const auto known = parts_.enrolment.agents();
                  if (!known) return known.error();
                  std::vector<std::string> agents;
                  for (const AgentRecord& agent : *known)
                    if (agent.site == site->name && !agent.revoked) agents.push_back(agent.id);
                  if (agents.empty()) {
                    add(*out, "",
                        {"site.no_agent", "fail", "site " + site->name + " has no agent",
                         "farboot agent enroll --site " + site->name});
                    return {};
                  }
                  if (!parts_.diagnose)
                    return fail(Errc::unavailable, "no agent can be asked from here");
                  // Each holds a thread of gRPC's for as long as it takes.
                  const unsigned others = diagnoses_.fetch_add(1);
                  struct Leave {
                    std::atomic<unsigned>& count;
                    ~Leave() { --count; }
                  } leave{diagnoses_};
                  if (others >= kDiagnosesMax)
                    return fail(Errc::exhausted,
                                "{} sites are examined just now; try again in a minute", others);
                  for (const auto& [agent, found] :
                       parts_.diagnose(agents, [this, context] { return gone(context); })) {
                    if (!found) {
                      add(*out, agent, unasked(found.error()));
                      continue;
                    }
                    for (const AgentFinding& finding : *found) add(*out, agent, finding);
                  }
                  return {};
                });
}

}  // namespace farboot
