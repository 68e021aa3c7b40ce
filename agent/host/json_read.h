// Reading our own JSON back without exceptions: what is missing or of another type reads as empty.
// For .cc files of this room only: the JSON header is a large one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"

namespace farboot::json_read {

using Json = nlohmann::json;

/// Discarded (is_object() is false) if `text` is no JSON object.
inline Json object(std::string_view text) { return Json::parse(text, nullptr, false); }

inline const Json& at(const Json& json, const char* key) {
  static const Json nothing;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found == json.end() ? nothing : *found;
}
inline std::string text(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}
inline std::uint64_t number(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}
inline bool flag(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_boolean() && value.get<bool>();
}
inline WallTime time(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return WallTime(Milliseconds(value.is_number_integer() ? value.get<std::int64_t>() : 0));
}
/// Of a record that rotted none is longer than people live: sums of it do not overflow.
inline Seconds seconds(const Json& json, const char* key) {
  constexpr std::uint64_t kSecondsMax = 1ull << 32;
  return Seconds(std::min(number(json, key), kSecondsMax));
}
inline std::vector<std::string> texts(const Json& json, const char* key) {
  std::vector<std::string> out;
  for (const Json& item : at(json, key))
    if (item.is_string()) out.push_back(item.get<std::string>());
  return out;
}
inline std::map<std::string, std::string> pairs(const Json& json, const char* key) {
  std::map<std::string, std::string> out;
  const Json& value = at(json, key);
  if (!value.is_object()) return out;
  for (const auto& [name, item] : value.items())
    if (item.is_string()) out.emplace(name, item.get<std::string>());
  return out;
}

/// Bytes that are no UTF-8 become U+FFFD: writing never fails.
inline std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace farboot::json_read
