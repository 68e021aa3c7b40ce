#include "common/service/service.h"

#include <systemd/sd-daemon.h>

#include <fmt/format.h>

namespace farboot::service {

void ready(std::string_view status) {
  sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str());
}

void stopping() { sd_notify(0, "STOPPING=1"); }

std::optional<Milliseconds> watchdog_interval() {
  std::uint64_t allowed_us = 0;
  if (sd_watchdog_enabled(0, &allowed_us) <= 0) return std::nullopt;
  return Milliseconds(allowed_us / 2000);
}

void alive() { sd_notify(0, "WATCHDOG=1"); }

}  // namespace farboot::service
