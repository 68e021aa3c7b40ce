// farboot doctor SITE
#include <algorithm>
#include <array>

#include <CLI/CLI.hpp>

#include "controller/cli/session.h"
#include "controller/cli/verb_tables.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

/// The controller waits 45 s for agents.
constexpr Seconds kDoctorDeadline{60};

Exit diagnose(Session& session, const std::string& site) {
  v1::DiagnoseSiteRequest request;
  request.set_site(site);
  v1::DiagnoseSiteResponse answer;
  const auto done = session.call(&Stub::DiagnoseSite, request, answer, kDoctorDeadline);
  if (!done) return session.report(done.error());
  session.print(answer, [&] { return findings_text(session.terminal(), answer.findings()); });
  return sick(answer.findings()) ? Exit::failed : Exit::done;
}

}  // namespace

/// A word of a newer controller counts as the worst.
bool sick(const Repeated<v1::Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const v1::Finding& finding) {
    return finding.severity() != "ok" && finding.severity() != "warning";
  });
}

std::string findings_text(const Terminal& terminal, const Repeated<v1::Finding>& findings) {
  constexpr std::array<std::pair<const char*, Colour>, 3> kSeverities{
      {{"error", Colour::red}, {"warning", Colour::yellow}, {"ok", Colour::green}}};
  std::string out, agent;
  bool first = true;
  for (const v1::Finding& finding : findings) {
    if (first || finding.agent() != agent) {
      agent = finding.agent();
      if (!agent.empty()) out += fmt::format("{}{}\n", first ? "" : "\n", agent);
      first = false;
    }
    const auto* painted =
        std::find_if(kSeverities.begin(), kSeverities.end(),
                     [&](const auto& each) { return each.first == finding.severity(); });
    const Colour colour = painted == kSeverities.end() ? Colour::none : painted->second;
    const std::string padding(8 - std::min<std::size_t>(7, finding.severity().size()), ' ');
    out += fmt::format("{}{}{} [{}]\n", terminal.paint(colour, finding.severity()), padding,
                       finding.text(), finding.check());
    if (!finding.advice().empty()) out += fmt::format("        -> {}\n", finding.advice());
  }
  return out;
}

void add_doctor_verbs(CLI::App& app, Session& session) {
  auto site = std::make_shared<std::string>();
  CLI::App& verb =
      add_verb(app, "doctor",
               "have a site's agents look who answers machines there, and whether each "
               "kind gets to its kernel",
               "farboot doctor lyon");
  verb.add_option("site", *site, "its name")->required();
  verb.callback([&session, site] { session.exit = diagnose(session, *site); });
}

}  // namespace farboot
