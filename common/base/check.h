// Invariants of our own. No byte from outside may reach a check: decoders return an error instead.
#pragma once

namespace farboot {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace farboot

/// Aborts, in release builds too, when `condition` is false; systemd restarts the daemon.
#define FARBOOT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::farboot::check_failed(#condition, __FILE__, __LINE__))
