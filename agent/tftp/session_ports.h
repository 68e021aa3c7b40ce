// Which port a session answers from.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "agent/tftp/session_peer.h"

namespace farboot {

/// A range of ports, dealt in order, so that a port rests before it is used again.
class SessionPorts {
 public:
  /// Both ends included; `first` 0: any port, the kernel's choice.
  SessionPorts(Loop& loop, std::uint16_t first, std::uint16_t last)
      : loop_(loop), first_(first), count_(last < first ? 1U : 1U + last - first) {}

  /// A peer with a port of its own. `taken`: those our sessions at parties.server hold; other
  /// programs may hold more. Errors: exhausted, unavailable.
  Result<std::unique_ptr<TftpSessionPeer>> open(const TftpParties& parties,
                                                const std::set<std::uint16_t>& taken);

 private:
  Loop& loop_;
  std::uint16_t first_;
  unsigned count_;
  unsigned next_ = 0;
};

}  // namespace farboot
