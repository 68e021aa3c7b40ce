// The rows of judge()'s table that speak of the site's other servers. Private to judge.
#pragma once

#include <string>
#include <vector>

#include "agent/doctor/observe.h"

namespace farboot::doctor {

struct Found {
  std::string where, what;
};
using Founds = std::vector<Found>;

Founds no_dhcp(const Observations& seen);
Founds several_dhcp(const Observations& seen);
Founds dhcp_servers(const Observations& seen);
Founds pxe_class(const Observations& seen);
Founds pxe_class_ours(const Observations& seen);
Founds boot_file(const Observations& seen);
Founds boot_file_firmware(const Observations& seen);
Founds ipxe_does_not_wait(const Observations& seen);
Founds next_server(const Observations& seen);
Founds other_pxe_server(const Observations& seen);
Founds observed_pxe_server(const Observations& seen);
Founds other_agent(const Observations& seen);
Founds not_named(const Observations& seen);
Founds named_elsewhere(const Observations& seen);
Founds wrong_file(const Observations& seen);
Founds loader_again(const Observations& seen);

}  // namespace farboot::doctor
