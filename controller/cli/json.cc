#include "controller/cli/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"

namespace farboot {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::ordered_json;

/// ROLLOUT_STATE_DONE of enum RolloutState → `done`.
std::string enum_word(const pb::EnumValueDescriptor& value) {
  std::string begin;
  for (const char c : value.type()->name()) {
    if (c >= 'A' && c <= 'Z' && !begin.empty()) begin += '_';
    begin += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  std::string word = value.name();
  if (word.starts_with(begin + "_")) word = word.substr(begin.size() + 1);
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

Json message_json(const pb::Message& message);

/// One value: of a singular field, or the one at `index` of a repeated one.
Json value_json(const pb::Message& message, const pb::FieldDescriptor& field, int index) {
  const pb::Reflection& reflection = *message.GetReflection();
  const bool one = index < 0;
  using Field = pb::FieldDescriptor;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return one ? reflection.GetInt32(message, &field)
                 : reflection.GetRepeatedInt32(message, &field, index);
    case Field::CPPTYPE_INT64:
      return one ? reflection.GetInt64(message, &field)
                 : reflection.GetRepeatedInt64(message, &field, index);
    case Field::CPPTYPE_UINT32:
      return one ? reflection.GetUInt32(message, &field)
                 : reflection.GetRepeatedUInt32(message, &field, index);
    case Field::CPPTYPE_UINT64:
      return one ? reflection.GetUInt64(message, &field)
                 : reflection.GetRepeatedUInt64(message, &field, index);
    case Field::CPPTYPE_DOUBLE:
      return one ? reflection.GetDouble(message, &field)
                 : reflection.GetRepeatedDouble(message, &field, index);
    case Field::CPPTYPE_FLOAT:
      return one ? reflection.GetFloat(message, &field)
                 : reflection.GetRepeatedFloat(message, &field, index);
    case Field::CPPTYPE_BOOL:
      return one ? reflection.GetBool(message, &field)
                 : reflection.GetRepeatedBool(message, &field, index);
    case Field::CPPTYPE_ENUM:
      return enum_word(one ? *reflection.GetEnum(message, &field)
                           : *reflection.GetRepeatedEnum(message, &field, index));
    case Field::CPPTYPE_STRING:
      return one ? reflection.GetString(message, &field)
                 : reflection.GetRepeatedString(message, &field, index);
    case Field::CPPTYPE_MESSAGE:
      return message_json(one ? reflection.GetMessage(message, &field)
                              : reflection.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

/// Entries of a map field, sorted by key: their order on the wire is nobody's.
Json map_json(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  nlohmann::json sorted = nlohmann::json::object();
  const pb::FieldDescriptor& key = *field.message_type()->map_key();
  const pb::FieldDescriptor& value = *field.message_type()->map_value();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const pb::Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    sorted[value_json(entry, key, -1).get<std::string>()] = value_json(entry, value, -1);
  }
  return Json(sorted);
}

Json message_json(const pb::Message& message) {
  if (const auto* time = dynamic_cast<const pb::Timestamp*>(&message)) {
    return to_iso8601(WallTime(Seconds(time->seconds())));
  }
  const pb::Reflection& reflection = *message.GetReflection();
  const pb::Descriptor& type = *message.GetDescriptor();
  Json out = Json::object();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    Json& made = out[field.name()];
    if (field.is_map()) {
      made = map_json(message, field);
    } else if (field.is_repeated()) {
      made = Json::array();
      for (int k = 0; k < reflection.FieldSize(message, &field); ++k)
        made.push_back(value_json(message, field, k));
    } else if (field.has_presence() && !reflection.HasField(message, &field)) {
      made = nullptr;
    } else {
      made = value_json(message, field, -1);
    }
  }
  return out;
}

}  // namespace

std::string to_json(const pb::Message& message, int indent) {
  const pb::Descriptor& type = *message.GetDescriptor();
  Json json = message_json(message);
  const bool list = type.field_count() == 1 && type.field(0)->is_repeated();
  if (list) json = Json(json[type.field(0)->name()]);
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(std::string_view name, std::string_view text) {
  Json json = Json::object();
  json[std::string(name)] = text;
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace farboot
