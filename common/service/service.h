// What systemd wants to hear of a daemon (sd_notify(3)). Without systemd every call does nothing.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/clock.h"

namespace farboot::service {

/// The service serves: units of `Type=notify` count as started only now. Thread-safe.
void ready(std::string_view status);
void stopping();

/// How often the watchdog wants to hear from us: half of what the unit allows. nullopt: no
/// watchdog.
std::optional<Milliseconds> watchdog_interval();
/// To be called from the thread whose health is watched.
void alive();

}  // namespace farboot::service
