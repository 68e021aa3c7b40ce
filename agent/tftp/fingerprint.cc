#include "agent/tftp/fingerprint.h"

namespace farboot {

bool is_ipxe_request(const tftp::Request& request) {
  const auto& options = request.options;
  return !request.write && request.mode == tftp::Mode::octet && options.size() == 2 &&
         options[0] == tftp::Option{.name = "blksize", .value = "1432"} &&
         options[1] == tftp::Option{.name = "tsize", .value = "0"};
}

}  // namespace farboot
