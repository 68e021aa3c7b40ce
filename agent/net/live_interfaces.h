// The interfaces as they are now, for whoever asks at each packet.
#pragma once

#include "agent/net/interfaces.h"
#include "common/base/unique_fd.h"

namespace farboot {

/// Scans only after something changed. One owner; not thread-safe.
class LiveInterfaces {
 public:
  LiveInterfaces();

  /// Holds until the next call. Where the kernel cannot be asked: what was known before.
  const InterfaceTable& now();

 private:
  bool changed();

  UniqueFd watch_;  ///< none: every call scans
  bool scanned_ = false;
  InterfaceTable table_;
};

}  // namespace farboot
