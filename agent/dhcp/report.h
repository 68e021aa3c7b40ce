// What the DHCP server writes into the log, at the rate a rack may cause. On the loop.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "agent/dhcp/decide.h"
#include "agent/dhcp/foreign.h"
#include "common/base/log_limit.h"

namespace farboot::dhcp {

class Report {
 public:
  struct Place {
    std::string_view interface;
    Ipv4 from;  ///< our address there
  };

  void answered(const Packet& request, const Reply& reply, const Place& place);
  /// What would have been the answer.
  void observed(const Packet& request, const Reply& reply, const Place& place);
  /// One line for a machine and a reason. Plain DHCP is worth none.
  void silent(const Packet& request, Silence silence, const Place& place);
  void send_failed(const Packet& request, const Error& error, const Place& place);
  void limited(const Mac& client, std::uint64_t so_far);
  void foreign(const ForeignServer& server, std::string_view interface, std::uint64_t left_out);

 private:
  LogLimit answered_{2000, Milliseconds(100)};
  LogLimit observed_{2000, Milliseconds(100)};
  LogLimit silent_{500};
  LogLimit send_failed_;
  LogLimit limited_{1, Seconds(60)};
  std::set<std::pair<Mac, Why>> silences_;
};

}  // namespace farboot::dhcp
