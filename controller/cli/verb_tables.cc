#include "controller/cli/verb_tables.h"

#include <fmt/format.h>

#include "common/base/clock.h"

namespace farboot {
namespace {

Colour state_colour(const std::string& state) {
  if (state == "current" || state == "done") return Colour::green;
  if (state == "offline" || state == "failed" || state == "expired" || state == "no agent" ||
      state == "broken")
    return Colour::red;
  if (state == "staging" || state == "behind" || state == "armed" || state == "packages")
    return Colour::yellow;
  return Colour::none;
}

std::string step_text(v1::TransferState state) {
  switch (state) {
    case v1::TRANSFER_STATE_OFFER: return "offer";
    case v1::TRANSFER_STATE_WANT: return "want";
    case v1::TRANSFER_STATE_CHUNK: return "chunk";
    case v1::TRANSFER_STATE_READY: return "ready";
    case v1::TRANSFER_STATE_ACTIVATE: return "activate";
    default: return "idle";
  }
}

std::string short_time(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  std::string text = to_iso8601(WallTime(Seconds(time.seconds())));
  text[10] = ' ';
  return text.substr(0, 19);
}

}  // namespace

std::string transfer_text(const v1::TransferProgress& transfer) {
  std::string out = step_text(transfer.state());
  if (out == "idle") return out;
  if (transfer.bytes_total() > 0)
    out += fmt::format(" {} %", percent(transfer.bytes_done(), transfer.bytes_total()));
  if (transfer.release() > 0) out += " of " + release_text(transfer.release());
  if (transfer.bytes_per_second() > 0)
    out += fmt::format(", {}/s", size_text(transfer.bytes_per_second()));
  return out;
}

std::string refusals_text(const v1::Refusals& refused) {
  std::string out;
  const auto add = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, what);
  };
  add(refused.handshakes(), "foreign certificates");
  add(refused.tokens(), "tokens");
  add(refused.agents(), "agents");
  add(refused.operators(), "calls of operators");
  add(refused.fetches(), "fetches");
  add(refused.proofs(), "ready proofs");
  add(refused.releases(), "changed releases");
  return out;
}

std::string site_table(const Terminal& terminal, const Repeated<v1::SiteRecord>& sites) {
  Table table({"SITE", "STATE", "SERVES", "STAGES", "AGENTS>", "HOSTS>", "INSTALLS>", "LABELS"});
  for (const v1::SiteRecord& site : sites) {
    int online = 0;
    for (const v1::AgentRecord& agent : site.agents()) online += agent.online();
    table.add({site.name(),
               {site.state(), state_colour(site.state())},
               release_text(site.serve_release()),
               release_text(site.stage_release()),
               fmt::format("{}/{}", online, site.agents_size()),
               std::to_string(site.hosts_total()),
               std::to_string(site.installs_running()),
               map_text(site.labels())});
  }
  return table.text(terminal);
}

/// What is wrong there; a disk that rots is worth a word while nothing worse is.
Table::Cell error_cell(const v1::AgentRecord& agent) {
  if (!agent.error().empty() || agent.rotten_chunks() == 0) return {agent.error(), Colour::red};
  return {fmt::format("{} chunks rotted on its disk since it started", agent.rotten_chunks()),
          Colour::yellow};
}

std::string agent_table(const Terminal& terminal, const Repeated<v1::AgentRecord>& agents) {
  Table table({"AGENT", "STATE", "SERVES", "STAGED", "TRANSFER", "DISK FREE>", "VERSION",
               "LAST REPORT", "ERROR"});
  for (const v1::AgentRecord& agent : agents) {
    const std::string state = agent.revoked() ? "revoked" : agent.online() ? "online" : "offline";
    const Colour colour = agent.online()    ? Colour::green
                          : agent.revoked() ? Colour::dim
                                            : Colour::red;
    const bool heard = agent.last_report().seconds() != 0;
    table.add({agent.id(),
               {state, colour},
               release_text(agent.active_release()),
               release_text(agent.staged_release()),
               heard ? transfer_text(agent.transfer()) : "",
               heard ? size_text(agent.disk_free_bytes()) : "",
               agent.version(),
               short_time(agent.last_report()),
               error_cell(agent)});
  }
  return table.text(terminal);
}

std::string host_table(const Terminal& terminal, const Repeated<v1::HostRecord>& hosts) {
  Table table({"HOST", "MAC", "ENTRY", "ORDERED>", "STATE", "SINCE", "DETAIL"});
  for (const v1::HostRecord& host : hosts) {
    std::string state = host.state();
    if (state == "packages") state += fmt::format(" {} %", host.percent());
    const std::string mac =
        host.macs().empty() ? "" : host.macs(0) + (host.macs_size() > 1 ? " …" : "");
    table.add({host.site() + "/" + host.name(),
               mac,
               host.entry().empty() && host.known() ? "(menu)" : host.entry(),
               host.known() ? std::to_string(host.install_order()) : "",
               {state, state_colour(host.state())},
               short_time(host.since()),
               host.known() ? host.detail() : "not in the fleet"});
  }
  return table.text(terminal);
}

}  // namespace farboot
