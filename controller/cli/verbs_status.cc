// farboot status, farboot controller show
#include <CLI/CLI.hpp>

#include "controller/cli/session.h"
#include "controller/cli/verb_tables.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

std::string usage_text(const v1::StoreUsage& usage) {
  return fmt::format("{} held on {} of disk, {} free", size_text(usage.payload_bytes()),
                     size_text(usage.disk_bytes()), size_text(usage.free_bytes()));
}

Exit status(Session& session) {
  v1::FleetStatus answer;
  const auto done = session.call(&Stub::GetStatus, v1::GetStatusRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&] {
    std::string out;
    const auto line = [&](std::string_view what, const std::string& value) {
      out += fmt::format("{:<10} {}\n", what, value);
    };
    line("controller", session.address());
    line("release", answer.newest_release() == 0
                        ? "none yet"
                        : release_text(answer.newest_release()) + " is the newest");
    line("images", std::to_string(answer.images()));
    line("agents", fmt::format("{} of {} online", answer.agents_online(), answer.agents()));
    line("hosts", fmt::format("{}, {} installing", answer.hosts(), answer.installs_running()));
    line("rollouts", answer.rollouts_running() == 0
                         ? "none under way"
                         : fmt::format("{} under way", answer.rollouts_running()));
    line("content", usage_text(answer.content()));
    if (const std::string refused = refusals_text(answer.refusals()); !refused.empty())
      line("refused", refused);
    if (!answer.site().empty()) out += "\n" + site_table(session.terminal(), answer.site());
    return out;
  });
}

Exit show(Session& session) {
  v1::Controller answer;
  const auto done = session.call(&Stub::GetController, v1::GetControllerRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&] {
    std::string out;
    const auto line = [&](std::string_view what, const std::string& value) {
      out += fmt::format("{:<10} {}\n", what, value);
    };
    line("controller", session.address());
    line("version", answer.version());
    line("started", time_text(answer.started()));
    line("clock", time_text(answer.now()));
    line("authority", answer.ca_fingerprint());
    line("content", usage_text(answer.content()));
    line("you are", fmt::format("{} ({})", answer.operator_name(), answer.operator_role()));
    return out;
  });
}

}  // namespace

void add_status_verbs(CLI::App& app, Session& session) {
  add_verb(app, "status", "the whole fleet at a glance", "farboot status").callback([&session] {
    session.exit = status(session);
  });
  CLI::App& controller = add_noun(app, "controller", "the controller itself");
  add_verb(controller, "show", "version, clock, authority, and who you are to it",
           "farboot controller show")
      .callback([&session] { session.exit = show(session); });
}

}  // namespace farboot
