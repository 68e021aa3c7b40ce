// Tables that more than one verb prints. Pure.
#pragma once

#include <map>
#include <string>

#include "controller/cli/table.h"
#include "farboot/v1/fleet.pb.h"

namespace farboot {

template <class Message>
using Repeated = google::protobuf::RepeatedPtrField<Message>;

std::string site_table(const Terminal& terminal, const Repeated<v1::SiteRecord>& sites);
std::string agent_table(const Terminal& terminal, const Repeated<v1::AgentRecord>& agents);
std::string host_table(const Terminal& terminal, const Repeated<v1::HostRecord>& hosts);

/// `a=1, b=2`, by name.
template <class Map>
std::string map_text(const Map& map) {
  std::string out;
  for (const auto& [name, value] : std::map<std::string, std::string>(map.begin(), map.end())) {
    if (!out.empty()) out += ", ";
    out.append(name).append("=").append(value);
  }
  return out;
}

/// `idle`, or `chunk 45 % of r7, 11.2 MB/s`
std::string transfer_text(const v1::TransferProgress& transfer);

/// Lines by agent, each with its fix. Defined in verbs_doctor.cc.
std::string findings_text(const Terminal& terminal, const Repeated<v1::Finding>& findings);
/// Something of it keeps machines from booting.
bool sick(const Repeated<v1::Finding>& findings);

/// `2 tokens, 1 fetches`; empty if nothing was refused since the controller started.
std::string refusals_text(const v1::Refusals& refused);

}  // namespace farboot
