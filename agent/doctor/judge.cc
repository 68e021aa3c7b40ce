#include "agent/doctor/judge.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/doctor/judge_lan.h"

namespace farboot::doctor {
namespace {

Founds no_address(const Observations& seen) {
  if (!seen.interfaces.empty()) return {};
  return {{"", "no interface we answer on has an IPv4 address"}};
}

Founds ports_closed(const Observations& seen) {
  if (seen.mode == DhcpMode::off || seen.dhcp_trouble.empty()) return {};
  return {{"", "the DHCP ports are not open: " + seen.dhcp_trouble}};
}

Founds firewall(const Observations& seen) {
  Founds found;
  for (const PortCheck& port : seen.ports)
    if (!port.trouble.empty())
      found.push_back({port.name, "our own request got no answer: " + port.trouble});
  return found;
}

Founds no_release(const Observations& seen) {
  if (seen.release != 0) return {};
  return {{"", "no release is active: machines that boot are told to wait"}};
}

Founds no_loaders(const Observations& seen) {
  if (seen.release == 0 || !seen.loader_files.empty()) return {};
  return {{"", fmt::format("r{} holds no boot loaders: no machine starts", seen.release)}};
}

Founds loader_missing(const Observations& seen) {
  Founds found;
  if (seen.loader_files.empty()) return found;
  for (const LoaderCheck& loader : seen.loaders)
    if (loader.file.empty() && loader.wanted)
      found.push_back(
          {std::string(to_string(loader.client)),
           fmt::format("r{} has images for these machines and no boot loader", seen.release)});
  return found;
}

Founds loader_absent(const Observations& seen) {
  Founds found;
  if (seen.loader_files.empty()) return found;
  for (const LoaderCheck& loader : seen.loaders)
    if (loader.file.empty() && !loader.wanted)
      found.push_back(
          {std::string(to_string(loader.client)),
           fmt::format("no boot loader in r{}: these machines are left alone", seen.release)});
  return found;
}

Founds boot_stopped(const Observations& seen) {
  Founds found;
  for (const Walk& walk : seen.walks)
    if (!walk.stopped.empty()) found.push_back({std::string(to_string(walk.client)), walk.stopped});
  return found;
}

Founds boot_arrived(const Observations& seen) {
  Founds found;
  for (const Walk& walk : seen.walks)
    if (walk.stopped.empty()) found.push_back({std::string(to_string(walk.client)), walk.reached});
  return found;
}

Founds no_probe(const Observations& seen) {
  if (seen.probe_trouble.empty()) return {};
  return {{"", "the LAN could not be asked who answers: " + seen.probe_trouble}};
}

Founds observe_mode(const Observations& seen) {
  if (seen.mode != DhcpMode::observe) return {};
  return {{"", "dhcp_mode is observe: PXE clients get no answer from us"}};
}

Founds machine_lists(const Observations& seen) {
  if (!seen.only_some_machines || seen.mode == DhcpMode::off) return {};
  return {{"", "dhcp_allow or dhcp_deny is set: some machines get no answer from us"}};
}

struct Row {
  std::string_view id;
  Severity severity;
  Founds (*look)(const Observations&);
  std::string_view fix;
};

constexpr std::string_view kSnippet =
    "`farboot-agent doctor --snippet dnsmasq|isc|kea|openwrt|cisco|h3c` prints the lines";

const std::array kRows{
    Row{"net.no_address", Severity::fail, no_address,
        "give this machine an address on the LAN, and look at `interfaces` in agent.toml"},
    Row{"net.ports", Severity::fail, ports_closed,
        "stop the program that holds the port, or let the agent bind it (CAP_NET_BIND_SERVICE)"},
    Row{"net.firewall", Severity::fail, firewall,
        "let UDP 67, 69 and 4011 and TCP 80 in on this machine, and UDP from the TFTP sessions' "
        "ports (nft list ruleset, firewall-cmd --list-all)"},
    Row{"net.no_probe", Severity::warn, no_probe,
        "the agent's unit gives it CAP_NET_RAW; started by hand it needs it too"},
    Row{"dhcp.none", Severity::fail, no_dhcp,
        "switch the router's DHCP server on, or look at the cable, the VLAN and DHCP snooping"},
    Row{"dhcp.several", Severity::warn, several_dhcp,
        "leave one of them on: machines take whichever is faster"},
    Row{"dhcp.pxe_class", Severity::fail, pxe_class,
        "remove option 60 from the DHCP server; if it must stay, set its next-server to our "
        "address"},
    Row{"dhcp.pxe_class_ours", Severity::warn, pxe_class_ours,
        "remove option 60 from the DHCP server: firmware finds us, but an iPXE without a script of "
        "its own does not"},
    Row{"dhcp.boot_file", Severity::fail, boot_file,
        "clear boot file and next-server (options 66 and 67) at the DHCP server: iPXE believes its "
        "lease before us"},
    Row{"dhcp.boot_file_firmware", Severity::warn, boot_file_firmware,
        "clear the boot file (option 67) at the DHCP server: shim, old ROMs and U-Boot believe it"},
    Row{"dhcp.ipxe_does_not_wait", Severity::fail, ipxe_does_not_wait,
        "remove option 175 (no-pxedhcp) from the DHCP server"},
    Row{"dhcp.other_pxe_server", Severity::fail, other_pxe_server,
        "switch one of the two off: machines take whichever is faster; dhcp_mode = \"observe\" "
        "keeps "
        "us silent"},
    Row{"off.not_named", Severity::fail, not_named, kSnippet},
    Row{"off.named_elsewhere", Severity::fail, named_elsewhere, kSnippet},
    Row{"off.wrong_file", Severity::fail, wrong_file, kSnippet},
    Row{"off.loader_again", Severity::warn, loader_again,
        "set tftp_ipxe_script = \"auto\" in agent.toml, or give clients with option 175 our script "
        "instead of a loader (see --snippet)"},
    Row{"mode.observe", Severity::warn, observe_mode,
        "dhcp_mode = \"proxy\" in agent.toml lets us answer"},
    Row{"release.none", Severity::fail, no_release,
        "roll a release out to this site: farboot rollout start"},
    Row{"loader.none", Severity::fail, no_loaders,
        "farboot loader import, then apply and roll out"},
    Row{"loader.missing", Severity::fail, loader_missing,
        "import a loader for them (farboot loader import, from Debian 13's ipxe package or an own "
        "build), then apply and roll out"},
    Row{"boot.stopped", Severity::fail, boot_stopped,
        "what else is found here is mostly the cause; otherwise the agent's log says more"},
    Row{"boot.arrived", Severity::ok, boot_arrived, ""},
    Row{"dhcp.server", Severity::ok, dhcp_servers, ""},
    Row{"dhcp.next_server", Severity::ok, next_server,
        "only where Debian 12's GRUB or U-Boot is used: set its next-server to our address"},
    Row{"dhcp.pxe_server", Severity::ok, observed_pxe_server, ""},
    Row{"dhcp.other_agent", Severity::ok, other_agent, ""},
    Row{"dhcp.lists", Severity::ok, machine_lists, ""},
    Row{"loader.absent", Severity::ok, loader_absent,
        "if there are such machines: farboot loader import, from Debian 13's ipxe package or an "
        "own "
        "build"},
};

std::string bounded(std::string text) {
  if (text.size() <= kFindingTextMax) return text;
  std::size_t end = kFindingTextMax - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

std::vector<Finding> judge(const Observations& seen) {
  std::vector<Finding> findings;
  for (const Row& row : kRows)
    for (const Found& found : row.look(seen))
      findings.push_back({std::string(row.id), row.severity, bounded(found.where),
                          bounded(found.what), std::string(row.fix)});
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  if (findings.size() > kFindingsMax) findings.resize(kFindingsMax);
  return findings;
}

std::vector<std::string_view> finding_ids() {
  std::vector<std::string_view> ids;
  for (const Row& row : kRows) ids.push_back(row.id);
  return ids;
}

}  // namespace farboot::doctor
