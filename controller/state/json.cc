#include "controller/state/json.h"

namespace farboot {
namespace {

const Json* field(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

Result<Record> read_record(std::string_view what, std::string_view text, unsigned format) {
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return fail(Errc::corrupt, "{}: the stored record is not JSON", what);
  const std::uint64_t found = number_at(object, "format");
  if (found == 0 || found > format)
    return fail(Errc::corrupt, "{}: the stored record has format {}, this version reads up to {}",
                what, found, format);
  return Record{std::move(object)};
}

std::string write_record(Json object, unsigned format) {
  object["format"] = format;
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text_at(const Json& object, const char* key) {
  const Json* found = field(object, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_at(const Json& object, const char* key) {
  const Json* found = field(object, key);
  return found != nullptr && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

bool flag_at(const Json& object, const char* key) {
  const Json* found = field(object, key);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

WallTime time_at(const Json& object, const char* key) {
  const Json* found = field(object, key);
  if (found == nullptr || !found->is_number_integer()) return {};
  return WallTime(Milliseconds(found->get<std::int64_t>()));
}

std::optional<Digest> digest_at(const Json& object, const char* key) {
  const auto digest = Digest::from_hex(text_at(object, key));
  return digest ? std::optional(*digest) : std::nullopt;
}

Variables map_at(const Json& object, const char* key) {
  Variables out;
  const Json* found = field(object, key);
  if (found == nullptr || !found->is_object()) return out;
  for (const auto& [name, value] : found->items())
    if (value.is_string()) out[name] = value.get<std::string>();
  return out;
}

std::vector<std::string> list_at(const Json& object, const char* key) {
  std::vector<std::string> out;
  for (const Json& item : array_at(object, key))
    if (item.is_string()) out.push_back(item.get<std::string>());
  return out;
}

const Json& array_at(const Json& object, const char* key) {
  static const Json kEmpty = Json::array();
  const Json* found = field(object, key);
  return found != nullptr && found->is_array() ? *found : kEmpty;
}

std::int64_t to_json_time(WallTime time) { return time.time_since_epoch().count(); }

Json to_json_digest(const std::optional<Digest>& digest) {
  return digest ? Json(digest->hex()) : Json(nullptr);
}

}  // namespace farboot
