#include "agent/net/live_interfaces.h"

#include <poll.h>

#include <utility>

namespace farboot {

LiveInterfaces::LiveInterfaces() {
  if (auto watch = open_interface_watch()) watch_ = std::move(*watch);
}

bool LiveInterfaces::changed() {
  if (!watch_) return true;
  pollfd look{.fd = watch_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&look, 1, 0) == 0) return false;
  drain_interface_watch(watch_);
  return true;
}

const InterfaceTable& LiveInterfaces::now() {
  // Drained before the scan: what changes meanwhile is seen at the next call.
  if (changed() || !scanned_) {
    if (auto table = scan_interfaces()) {
      table_ = std::move(*table);
      scanned_ = true;
    }
  }
  return table_;
}

}  // namespace farboot
