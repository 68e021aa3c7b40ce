// Answers as iPXE scripts. Pure. Every script is whole, runs in iPXE builds of the last ten years,
// and ends in a boot, a shell or the local disk.
#pragma once

#include <string>
#include <string_view>

#include "agent/boot/answer.h"

namespace farboot {

/// URL at which the machine asks again, with its facts; always has a query.
std::string machine_url(const ScriptFrame& frame);

/// /boot.ipxe: finds out who the machine is and asks what to boot. `local`: if nobody answers.
std::string first_script(std::string_view server, const LocalBoot& local);

std::string render_ipxe(const ScriptFrame& frame, const BootAnswer& answer);

/// LF only, no byte order mark, a newline at the end: CRLF breaks %pre.
std::string as_kickstart(std::string_view text);

}  // namespace farboot
