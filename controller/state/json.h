// How the controller's records lie in the StateStore: JSON objects with a format number. Only for
// what we wrote ourselves; nothing from outside is parsed here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/release.h"

namespace farboot {

using Json = nlohmann::json;

/// One record, read. (A Result<Json> would not do: Json converts from anything.)
struct Record {
  Json object;
  operator const Json&() const { return object; }
};

/// `what` names the record in the error. Errors: corrupt (not an object, or of a newer format).
Result<Record> read_record(std::string_view what, std::string_view text, unsigned format);
/// The object with its `format`, as text.
std::string write_record(Json object, unsigned format);

/// Fields that are absent or of another type read as empty: a newer version may have added them.
std::string text_at(const Json& object, const char* key);
std::uint64_t number_at(const Json& object, const char* key);
bool flag_at(const Json& object, const char* key);
WallTime time_at(const Json& object, const char* key);
std::optional<Digest> digest_at(const Json& object, const char* key);
Variables map_at(const Json& object, const char* key);
std::vector<std::string> list_at(const Json& object, const char* key);
/// The array under `key`, or an empty one.
const Json& array_at(const Json& object, const char* key);

std::int64_t to_json_time(WallTime time);
/// null for none.
Json to_json_digest(const std::optional<Digest>& digest);

}  // namespace farboot
