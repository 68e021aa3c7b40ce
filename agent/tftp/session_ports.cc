#include "agent/tftp/session_ports.h"

namespace farboot {
namespace {

/// Of ports that ought to be free: who fills the range with programs of his own is not helped.
constexpr unsigned kPortTriesMax = 64;

}  // namespace

Result<std::unique_ptr<TftpSessionPeer>> SessionPorts::open(const TftpParties& parties,
                                                            const std::set<std::uint16_t>& taken) {
  if (first_ == 0) return open_session_port(loop_, parties, 0);
  unsigned tries = 0;
  for (unsigned i = 0; i < count_ && tries < kPortTriesMax; ++i) {
    const auto port = static_cast<std::uint16_t>(first_ + next_);
    next_ = (next_ + 1) % count_;
    if (taken.contains(port)) continue;
    ++tries;
    auto peer = open_session_port(loop_, parties, port);
    if (peer || peer.error().code != Errc::conflict) return peer;
  }
  return fail(Errc::exhausted, "tftp: no session port is free");
}

}  // namespace farboot
