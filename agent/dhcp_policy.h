// What the DHCP server needs of the settings and of what the controller said.
#pragma once

#include "agent/catalog/catalog.h"
#include "agent/config.h"
#include "agent/dhcp/policy.h"
#include "agent/dhcp/server.h"
#include "agent/host/host_book.h"
#include "common/base/clock.h"

namespace farboot {

DhcpServerOptions dhcp_options(const AgentConfig& config);

/// Of a config that check_config() took. What it borrows must outlive the policy.
dhcp::Policy dhcp_policy(const AgentConfig& config, const HostBook& hosts, const Catalog& catalog,
                         const Clock& clock);

/// The variables `loader` and `uefi_reply` of one host, and of its site or else of the fleet. What
/// cannot be read is no wish: `complain` hears of it.
dhcp::ClientWish dhcp_wish(const Variables& host, const Variables& site, const Variables& fleet,
                           const std::function<void(const Error&)>& complain);

}  // namespace farboot
