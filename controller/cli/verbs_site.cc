// farboot site list|show, farboot agent enroll|list|revoke
#include <CLI/CLI.hpp>

#include "controller/cli/session.h"
#include "controller/cli/verb_tables.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

Exit list_sites(Session& session) {
  v1::ListSitesResponse answer;
  const auto done = session.call(&Stub::ListSites, v1::ListSitesRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&]() -> std::string {
    if (answer.sites().empty())
      return "no sites yet; write sites/NAME.yaml in the fleet directory and `farboot apply`\n";
    return site_table(session.terminal(), answer.sites());
  });
}

Exit show_site(Session& session, const std::string& name) {
  v1::GetSiteRequest request;
  request.set_site(name);
  v1::SiteRecord site;
  const auto done = session.call(&Stub::GetSite, request, site);
  if (!done) return session.report(done.error());
  return session.print(site, [&] {
    std::string out;
    const auto line = [&](std::string_view what, const std::string& value) {
      out += fmt::format("{:<10} {}\n", what, value.empty() ? "-" : value);
    };
    const std::uint64_t rate = site.limits().wan_bytes_per_second();
    const std::uint32_t installs = site.limits().installs_at_once_max();
    line("site", site.name());
    line("state", site.state());
    line("serves", release_text(site.serve_release()));
    line("stages", release_text(site.stage_release()));
    line("desired", std::to_string(site.desired_number()));
    line("labels", map_text(site.labels()));
    line("variables", map_text(site.variables()));
    line("wan limit", rate == 0 ? "none" : size_text(rate) + "/s");
    line("installs",
         installs == 0 ? "as many as the agent allows" : fmt::format("{} at once", installs));
    if (!site.agents().empty()) out += "\n" + agent_table(session.terminal(), site.agents());
    if (!site.hosts().empty()) out += "\n" + host_table(session.terminal(), site.hosts());
    return out;
  });
}

/// `90s`, `15m`, `1h`, `2d`, or seconds. Nothing if it is none of them.
std::optional<std::uint32_t> seconds_from(const std::string& text) {
  std::size_t used = 0;
  std::uint64_t value = 0;
  while (used < text.size() && used < 9 && text[used] >= '0' && text[used] <= '9')
    value = value * 10 + static_cast<std::uint64_t>(text[used++] - '0');
  const std::string unit = text.substr(used);
  if (used == 0) return std::nullopt;
  if (unit == "m") value *= 60;
  if (unit == "h") value *= 3600;
  if (unit == "d") value *= 86400;
  const bool known = unit.empty() || unit == "s" || unit == "m" || unit == "h" || unit == "d";
  if (!known || value == 0 || value > 0xffffffff) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

Exit enroll(Session& session, const v1::CreateEnrolmentTokenRequest& request) {
  v1::EnrolmentToken token;
  const auto done = session.call(&Stub::CreateEnrolmentToken, request, token);
  if (!done) return session.report(done.error());
  return session.print(token, [&] {
    session.note(fmt::format("on the Pi of {} as {}, once, before {} UTC:\n", token.site(),
                             token.agent(), time_text(token.expires())));
    return fmt::format("farboot-agent enroll {}\n", token.token());
  });
}

Exit list_agents(Session& session, const std::string& site) {
  v1::ListAgentsRequest request;
  request.set_site(site);
  v1::ListAgentsResponse answer;
  const auto done = session.call(&Stub::ListAgents, request, answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&]() -> std::string {
    if (answer.agents().empty()) return "no agents yet; `farboot agent enroll --site NAME`\n";
    return agent_table(session.terminal(), answer.agents());
  });
}

Exit revoke_agent(Session& session, const std::string& agent) {
  v1::RevokeAgentRequest request;
  request.set_agent(agent);
  v1::AgentRecord record;
  const auto done = session.call(&Stub::RevokeAgent, request, record);
  if (!done) return session.report(done.error());
  return session.print(record, [&] {
    return fmt::format("revoked {}: its certificate is refused from now on\n", record.id());
  });
}

void add_agent_verbs(CLI::App& app, Session& session) {
  CLI::App& agent = add_noun(app, "agent", "the Pis, one or more per site");
  {
    auto site = std::make_shared<std::string>(), name = std::make_shared<std::string>(),
         ttl = std::make_shared<std::string>("1h"), address = std::make_shared<std::string>();
    CLI::App& verb = add_verb(agent, "enroll", "print the one command to paste on a new Pi",
                              "farboot agent enroll --site lyon --ttl 2h");
    verb.add_option("--site", *site, "where the Pi stands")->required();
    verb.add_option("--name", *name, "what it is called there (default: pi1, pi2, …)");
    verb.add_option("--ttl", *ttl, "how long the token is good: 90s, 15m, 1h, 2d")
        ->check([](const std::string& text) {
          return seconds_from(text) ? std::string() : "want a time like 15m, 1h or 2d";
        })
        ->capture_default_str();
    verb.add_option(
        "--controller", *address,
        "host:port as the Pi dials the controller (default: the controller's first name)");
    verb.callback([&session, site, name, ttl, address] {
      v1::CreateEnrolmentTokenRequest request;
      request.set_site(*site);
      request.set_agent(*name);
      request.set_ttl_seconds(*seconds_from(*ttl));
      request.set_controller_address(*address);
      session.exit = enroll(session, request);
    });
  }
  {
    auto site = std::make_shared<std::string>();
    CLI::App& verb = add_verb(agent, "list", "all agents and how they are", "farboot agent list");
    verb.add_option("--site", *site, "only of this site");
    verb.callback([&session, site] { session.exit = list_agents(session, *site); });
  }
  auto name = std::make_shared<std::string>();
  CLI::App& verb = add_verb(agent, "revoke", "cut an agent off for good: lost, stolen, replaced",
                            "farboot agent revoke lyon/pi1");
  verb.add_option("agent", *name, "SITE/AGENT")->required();
  verb.callback([&session, name] { session.exit = revoke_agent(session, *name); });
}

}  // namespace

void add_site_verbs(CLI::App& app, Session& session) {
  CLI::App& site = add_noun(app, "site", "the places");
  add_verb(site, "list", "all sites and what they serve", "farboot site list").callback([&session] {
    session.exit = list_sites(session);
  });
  auto name = std::make_shared<std::string>();
  CLI::App& verb =
      add_verb(site, "show", "one site with its agents and hosts", "farboot site show lyon");
  verb.add_option("site", *name, "its name")->required();
  verb.callback([&session, name] { session.exit = show_site(session, *name); });
  add_agent_verbs(app, session);
}

}  // namespace farboot
