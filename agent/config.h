// The agent's settings, read once at start from a TOML file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/dhcp/decide.h"
#include "agent/dhcp/server.h"
#include "common/config/key_table.h"

namespace farboot {

/// Whether iPXE that asks for iPXE by TFTP gets our first script instead.
enum class IpxeScript : std::uint8_t {
  by_mode,  ///< where dhcp_mode is off: we cannot tell it anything else by DHCP then
  on,
  off,
};

struct AgentConfig {
  std::string state_dir = "/var/lib/farboot-agent";
  std::string log_level = "info";
  std::vector<std::string> interfaces;

  DhcpMode dhcp_mode = DhcpMode::proxy;
  std::uint16_t dhcp_port = 67;
  std::uint16_t pxe_port = 4011;
  dhcp::Relays dhcp_relays = dhcp::Relays::by_itself;
  dhcp::ReplyStyle uefi_reply = dhcp::ReplyStyle::binl;
  bool raspberry_pi_roms = false;
  std::vector<std::string> dhcp_deny;     ///< as ClientList::add() takes them
  std::vector<std::string> dhcp_allow;    ///< the same; empty: all
  std::vector<std::string> dhcp_clients;  ///< as dhcp::parse_client_rule() takes them

  std::uint32_t dhcp_answers_per_second_max = 5000;
  std::uint32_t dhcp_answers_per_client_max = 20;

  std::uint16_t tftp_port = 69;
  bool tftp_single_port = false;
  std::uint16_t tftp_session_port_first = 0;
  std::uint16_t tftp_session_port_last = 0;
  std::uint32_t tftp_sessions_max = 512;
  std::uint32_t tftp_sessions_per_client_max = 64;
  std::uint32_t tftp_block_bytes_max = 0;  ///< 0: what fits into the interface's packets
  std::uint32_t tftp_window_blocks_max = 64;
  bool tftp_ignore_case = false;
  IpxeScript tftp_ipxe_script = IpxeScript::by_mode;
  std::string tftp_second_stage;

  std::string http_address = "0.0.0.0";
  std::uint16_t http_port = 80;
  std::uint32_t http_connections_max = 1024;
  std::uint32_t http_connections_per_client_max = 64;
  std::uint32_t http_workers = 2;

  std::uint64_t store_budget_bytes = 0;   ///< 0: the store's own default
  std::uint64_t store_reserve_bytes = 0;  ///< 0: the store's own default
  std::uint32_t installs_at_once_max = 64;

  bool script_for_ipxe() const {
    if (tftp_ipxe_script == IpxeScript::by_mode) return dhcp_mode == DhcpMode::off;
    return tftp_ipxe_script == IpxeScript::on;
  }

  std::string database_folder() const { return state_dir + "/db"; }
  std::string packs_folder() const { return state_dir + "/packs"; }
  std::string identity_folder() const { return state_dir + "/identity"; }
  std::string control_socket() const { return state_dir + "/control"; }
};

/// One row per key, bound to `config`, which must outlive the table.
KeyTable agent_keys(AgentConfig& config);

/// `dhcp_deny` or `dhcp_allow`. Errors: invalid, naming the entry.
Result<dhcp::ClientList> client_list(const std::vector<std::string>& entries);

/// `dhcp_clients`. Errors: invalid, naming the rule.
Result<std::vector<dhcp::ClientRule>> client_rules(const std::vector<std::string>& texts);

/// What no single row can say. Errors: invalid.
Result<void> check_config(const AgentConfig& config);

}  // namespace farboot
