#include "agent/config.h"

#include <utility>

#include "common/base/log.h"
#include "common/content/manifest.h"
#include "common/wire/tftp.h"

namespace farboot {
namespace {

constexpr IntegerRange kPort{1, 65535};
constexpr IntegerRange kPortOrNone{0, 65535};

Result<void> check_level(std::string_view word) {
  if (word == "debug" || word == "info" || word == "warn" || word == "error") return {};
  return fail(Errc::invalid, "{}: must be debug, info, warn or error", printable(word, 40));
}

Result<void> check_file_name(std::string_view name) {
  if (name.empty() || (is_tree_path(name) && name.find('/') == std::string_view::npos)) return {};
  return fail(Errc::invalid, "{}: must be a file name without a folder", printable(name, 40));
}

void add_pxe_keys(KeyTable& keys, AgentConfig& c) {
  keys.list("interfaces", c.interfaces,
            "where to answer proxyDHCP and TFTP; empty: every interface that has an IPv4 address");
  keys.one_of(
      "dhcp_mode", c.dhcp_mode,
      {{"proxy", DhcpMode::proxy}, {"observe", DhcpMode::observe}, {"off", DhcpMode::off}},
      "proxy answers beside the site's DHCP server; observe decides and logs only; off binds "
      "nothing (the site's DHCP server or switch names us as next-server)");
  keys.integer("dhcp_port", c.dhcp_port, kPort, "UDP port of DHCP requests");
  keys.integer("pxe_port", c.pxe_port, kPort, "UDP port where UEFI firmware asks again");
  keys.one_of(
      "dhcp_relays", c.dhcp_relays,
      {{"auto", dhcp::Relays::by_itself}, {"on", dhcp::Relays::copy}, {"off", dhcp::Relays::off}},
      "DHCP relays are heard on the port if no other DHCP server of this machine has it when "
      "the agent starts, else by a copy; on: always by a copy, so that one may start later; "
      "off: not at all");
  keys.one_of("uefi_reply", c.uefi_reply,
              {{"binl", dhcp::ReplyStyle::binl}, {"one_shot", dhcp::ReplyStyle::one_shot}},
              "how UEFI firmware is led to its loader: asked again on pxe_port, or from the offer");
  keys.flag(
      "raspberry_pi_roms", c.raspberry_pi_roms,
      "answer the boot ROMs of Raspberry Pis too; agents are Pis and must not boot each other");
  keys.list("dhcp_deny", c.dhcp_deny,
            "machines that get no DHCP answer: MACs or their first octets (52:54:00), networks "
            "(10.4.0.0/16), UUIDs");
  keys.list("dhcp_allow", c.dhcp_allow,
            "the same: DHCP answers go to these only, but for those in dhcp_deny; empty: all");
  keys.list("dhcp_clients", c.dhcp_clients,
            "what some machines get: words for whom (52:54:00, arch=x64_uefi, class=PXEClient) and "
            "what (loader=ipxe.efi, binl, one_shot, raspberry_pi_rom)");
  keys.integer("dhcp_answers_per_second_max", c.dhcp_answers_per_second_max, {10, 1'000'000},
               "PXE answers a second to all machines together; what is beyond is dropped");
  keys.integer("dhcp_answers_per_client_max", c.dhcp_answers_per_client_max, {2, 100'000},
               "the same to one MAC");
  keys.integer("tftp_port", c.tftp_port, kPort, "UDP port of TFTP requests");
  keys.flag("tftp_single_port", c.tftp_single_port,
            "answer every transfer from tftp_port itself: for NAT and strict firewalls");
  keys.integer("tftp_session_port_first", c.tftp_session_port_first, kPortOrNone,
               "lowest UDP port of transfers; 0: the kernel chooses");
  keys.integer("tftp_session_port_last", c.tftp_session_port_last, kPortOrNone,
               "highest UDP port of transfers");
}

void add_tftp_keys(KeyTable& keys, AgentConfig& c) {
  keys.integer("tftp_sessions_max", c.tftp_sessions_max, {64, 4096},
               "TFTP transfers at once, each of up to 0.5 MB of memory; further requests wait");
  keys.integer("tftp_sessions_per_client_max", c.tftp_sessions_per_client_max, {32, 4096},
               "TFTP transfers at once of one address; GRUB and Raspberry Pis ask for dozens");
  keys.integer("tftp_block_bytes_max", c.tftp_block_bytes_max,
               {0, static_cast<std::int64_t>(tftp::kBlockBytesMax)},
               "largest TFTP block granted; 0: what fits into the interface's packets; smaller "
               "where a tunnel lies in between");
  keys.integer("tftp_window_blocks_max", c.tftp_window_blocks_max, {1, 64},
               "largest TFTP window granted; smaller where a switch drops bursts");
  keys.flag("tftp_ignore_case", c.tftp_ignore_case,
            "find a TFTP file that is not there in another case: Windows asks for \\BOOT\\bcd");
  keys.one_of("tftp_ipxe_script", c.tftp_ipxe_script,
              {{"auto", IpxeScript::by_mode}, {"on", IpxeScript::on}, {"off", IpxeScript::off}},
              "iPXE that asks for iPXE by TFTP gets boot.ipxe: ends the loop where a DHCP server "
              "names one file for all; auto: while dhcp_mode is off");
  keys.text("tftp_second_stage", c.tftp_second_stage,
            "what a shim gets that asks beside itself for a garbled name, such as grubx64.efi; "
            "empty: nothing",
            check_file_name);
}

}  // namespace

KeyTable agent_keys(AgentConfig& c) {
  KeyTable keys;
  keys.path("state_dir", c.state_dir, "identity, database and content of the agent");
  keys.text("log_level", c.log_level, "debug, info, warn or error", check_level);
  add_pxe_keys(keys, c);
  add_tftp_keys(keys, c);
  keys.text("http_address", c.http_address, "address of the HTTP server; 0.0.0.0: all of IPv4");
  keys.integer("http_port", c.http_port, kPort, "TCP port of the HTTP server");
  keys.integer(
      "http_connections_max", c.http_connections_max, {16, 65535},
      "HTTP connections served at once, but for a few that are asked to go; others are told to try "
      "again");
  keys.integer("http_connections_per_client_max", c.http_connections_per_client_max, {8, 65535},
               "the same of one address; more where many machines come by one router");
  keys.integer("http_workers", c.http_workers, {1, 64}, "threads that send files");
  keys.byte_size("store_budget_bytes", c.store_budget_bytes, {},
                 "most the content may take on disk; 0: 80 % of the file system");
  keys.byte_size("store_reserve_bytes", c.store_reserve_bytes, {},
                 "always left free on the file system; 0: 256 MB or 2 %, whichever is more");
  keys.integer("installs_at_once_max", c.installs_at_once_max, {1, 10000},
               "installs under way at once where the site sets no limit; others wait");
  return keys;
}

Result<dhcp::ClientList> client_list(const std::vector<std::string>& entries) {
  dhcp::ClientList list;
  for (const std::string& entry : entries)
    if (auto added = list.add(entry); !added) return added.error();
  return list;
}

Result<std::vector<dhcp::ClientRule>> client_rules(const std::vector<std::string>& texts) {
  std::vector<dhcp::ClientRule> rules;
  for (const std::string& text : texts) {
    auto rule = dhcp::parse_client_rule(text);
    if (!rule) return rule.error();
    rules.push_back(std::move(*rule));
  }
  return rules;
}

Result<void> check_config(const AgentConfig& c) {
  if ((c.tftp_session_port_first == 0) != (c.tftp_session_port_last == 0) ||
      c.tftp_session_port_first > c.tftp_session_port_last) {
    return fail(Errc::invalid,
                "tftp_session_port_first {} and tftp_session_port_last {}: set both, first <= last",
                c.tftp_session_port_first, c.tftp_session_port_last);
  }
  if (c.tftp_block_bytes_max != 0 && c.tftp_block_bytes_max < tftp::kBlockBytesMin) {
    return fail(Errc::invalid, "tftp_block_bytes_max {}: must be 0 or at least {}",
                c.tftp_block_bytes_max, tftp::kBlockBytesMin);
  }
  for (const auto& [key, entries] :
       {std::pair{"dhcp_deny", &c.dhcp_deny}, std::pair{"dhcp_allow", &c.dhcp_allow}})
    if (auto list = client_list(*entries); !list) return prefix(key, list.error());
  if (auto rules = client_rules(c.dhcp_clients); !rules)
    return prefix("dhcp_clients", rules.error());
  return {};
}

}  // namespace farboot
