#include "common/base/log.h"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace farboot::log {
namespace {

spdlog::logger& logger() {
  // Never destroyed: a thread may log while statics are being torn down.
  static spdlog::logger* const made = [] {
    auto* fresh = new spdlog::logger("farboot", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    fresh->set_pattern("%l %v");
    fresh->flush_on(spdlog::level::info);
    return fresh;
  }();
  return *made;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void set_level(Level level) { logger().set_level(to_spdlog(level)); }

bool set_level(std::string_view name) {
  if (name == "debug") return set_level(Level::debug), true;
  if (name == "info") return set_level(Level::info), true;
  if (name == "warn") return set_level(Level::warn), true;
  if (name == "error") return set_level(Level::error), true;
  return false;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (!logger().should_log(to_spdlog(level))) return;
  std::string line = fmt::format("event={}", event);
  for (const Field& field : fields) {
    const std::string value = printable(field.value, 1000);
    const bool quote = value.empty() || value.find_first_of(" =") != std::string::npos;
    const std::string_view mark = quote ? "\"" : "";
    line += fmt::format(" {}={}{}{}", field.key, mark, value, mark);
  }
  logger().log(to_spdlog(level), line);
}

}  // namespace farboot::log
