// One line per event to stderr, for journald: `event=tftp.sent client=10.4.0.31 bytes=83212`.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "common/base/bytes.h"

namespace farboot::log {

enum class Level {
  debug,
  info,
  warn,
  error
};

/// One `key=value`. The value is escaped, and quoted where it holds a blank.
struct Field {
  std::string_view key;
  std::string value;
};

template <class T>
Field kv(std::string_view key, const T& value) {
  return {key, fmt::format("{}", value)};
}

/// Lines below `level` are not written. Thread-safe. Default: info.
void set_level(Level level);
/// `debug`, `info`, `warn`, `error` → the level; anything else leaves it and returns false.
bool set_level(std::string_view name);

/// Writes one event; `event` is `room.verb`, stable, listed in docs/log-events.md. Thread-safe.
/// error: someone must act. warn: we coped. info: once per boot or release step. debug: per packet.
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

template <class... Fields>
void debug(std::string_view event, Fields... fields) {
  write(Level::debug, event, {fields...});
}
template <class... Fields>
void info(std::string_view event, Fields... fields) {
  write(Level::info, event, {fields...});
}
template <class... Fields>
void warn(std::string_view event, Fields... fields) {
  write(Level::warn, event, {fields...});
}
template <class... Fields>
void error(std::string_view event, Fields... fields) {
  write(Level::error, event, {fields...});
}

}  // namespace farboot::log
