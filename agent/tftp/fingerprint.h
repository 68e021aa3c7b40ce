// Who asks, told by the shape of the request. Pure.
#pragma once

#include "common/wire/tftp.h"

namespace farboot {

/// True for iPXE's requests: `blksize 1432, tsize 0` in this order, nothing else, octet (every
/// version since 1.0). No other client seen asks so: GRUB wants 1024, firmware names tsize alone or
/// first.
bool is_ipxe_request(const tftp::Request& request);

}  // namespace farboot
