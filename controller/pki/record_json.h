// Fields of our own records, read without exceptions. Private to pki.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"

namespace farboot::record_json {

inline std::string text(const nlohmann::json& object, const char* key) {
  const auto field = object.find(key);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

inline std::int64_t number(const nlohmann::json& object, const char* key) {
  const auto field = object.find(key);
  return field != object.end() && field->is_number_integer() ? field->get<std::int64_t>() : 0;
}

inline WallTime time(const nlohmann::json& object, const char* key) {
  return WallTime(Milliseconds(number(object, key)));
}

}  // namespace farboot::record_json
