#include "common/content/json_fields.h"

#include <algorithm>
#include <utility>

#include "common/content/manifest.h"

namespace farboot::json {
namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return byte < 0x20 || byte == 0x7f;
  });
}

/// nlohmann's parser keeps a stack of its own, but a document we understand is never deep.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (in_string) {
      if (letter == '\\')
        ++i;
      else if (letter == '"')
        in_string = false;
    } else if (letter == '"') {
      in_string = true;
    } else if (letter == '[' || letter == '{') {
      if (++depth > kDepthMax) return true;
    } else if ((letter == ']' || letter == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

const Value& nothing() {
  static const Value value;
  return value;
}

}  // namespace

Value parse(ByteView document, std::size_t bytes_max, Fault& fault) {
  if (document.size() > bytes_max) {
    fault.set("$", "{} bytes, at most {}", document.size(), bytes_max);
  } else if (too_deep(as_text(document))) {
    fault.set("$", "nested deeper than {} levels", kDepthMax);
  } else {
    Value value = Value::parse(document.begin(), document.end(), nullptr, false);
    if (!value.is_discarded()) return value;
    fault.set("$", "not JSON");
  }
  return {};
}

Bytes dump(const Value& value) {
  // Text that is not UTF-8 was refused where it came in; here it must not throw.
  return to_bytes(value.dump(-1, ' ', false, Value::error_handler_t::replace));
}

Fields::Fields(const Value& value, std::string path, Fault& fault)
    : value_(value), path_(std::move(path)), fault_(fault) {
  if (!value_.is_object() && !value_.is_null())
    fault_.set(path_, "an object expected, not {}", value_.type_name());
}

const Value* Fields::find(std::string_view key) const {
  if (!value_.is_object()) return nullptr;
  const auto at = value_.find(key);
  return at == value_.end() || at->is_null() ? nullptr : &*at;
}

const Value* Fields::array_of(std::string_view key, std::size_t count_max) const {
  const Value* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    fault_.set(path(key), "an array expected, not {}", value->type_name());
    return nullptr;
  }
  if (value->size() > count_max) {
    fault_.set(path(key), "{} items, at most {}", value->size(), count_max);
    return nullptr;
  }
  return value;
}

const Value* Fields::object_of(std::string_view key, std::size_t count_max) const {
  const Value* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) {
    fault_.set(path(key), "an object expected, not {}", value->type_name());
    return nullptr;
  }
  if (value->size() > count_max) {
    fault_.set(path(key), "{} members, at most {}", value->size(), count_max);
    return nullptr;
  }
  return value;
}

std::string Fields::checked_text(const Value& value, const std::string& where,
                                 std::size_t bytes_max) const {
  if (!value.is_string()) {
    fault_.set(where, "a string expected, not {}", value.type_name());
    return {};
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > bytes_max) {
    fault_.set(where, "{} bytes, at most {}", text.size(), bytes_max);
    return {};
  }
  if (text.find('\0') != std::string::npos) fault_.set(where, "a NUL character");
  return text;
}

std::string Fields::text(std::string_view key, std::size_t bytes_max) const {
  const Value* value = find(key);
  return value == nullptr ? std::string() : checked_text(*value, path(key), bytes_max);
}

std::string Fields::line(std::string_view key, std::size_t bytes_max) const {
  std::string value = text(key, bytes_max);
  if (has_control(value)) fault_.set(path(key), "control characters");
  return value;
}

std::string Fields::name(std::string_view key) const {
  std::string value = name_or_empty(key);
  if (value.empty()) fault_.set(path(key), "a name expected");
  return value;
}

std::string Fields::name_or_empty(std::string_view key) const {
  std::string value = text(key, 64);
  if (!value.empty() && !is_name(value))
    fault_.set(path(key), "'{}': not a name", printable(value));
  return value;
}

std::string Fields::tree_path_or_empty(std::string_view key) const {
  std::string value = text(key, kPathBytesMax);
  if (!value.empty() && !is_tree_path(value))
    fault_.set(path(key), "'{}': not a path inside the tree", printable(value));
  return value;
}

std::uint64_t Fields::number(std::string_view key, std::uint64_t max) const {
  const Value* value = find(key);
  if (value == nullptr) return 0;
  if (!value->is_number_unsigned()) {
    fault_.set(path(key), "a whole number expected, not {}",
               value->is_number() ? value->dump() : value->type_name());
    return 0;
  }
  const auto number = value->get<std::uint64_t>();
  if (number > max) fault_.set(path(key), "{}: at most {}", number, max);
  return number;
}

std::optional<Digest> Fields::digest(std::string_view key) const {
  if (find(key) == nullptr) return std::nullopt;
  auto digest = Digest::from_hex(text(key, 64));
  if (digest) return *digest;
  fault_.set(path(key), "{}", digest.error().what);
  return std::nullopt;
}

Variables Fields::variables(std::string_view key) const {
  Variables variables;
  const Value* object = object_of(key, kVariablesMax);
  if (object == nullptr) return variables;
  for (const auto& [name, value] : object->items()) {
    if (fault_.any()) break;
    if (name.empty() || name.size() > kVariableNameBytesMax || has_control(name)) {
      fault_.set(path(key), "'{}': not a variable's name", printable(name));
      break;
    }
    variables[name] = checked_text(value, fmt::format("{}.{}", path(key), name), kVariableBytesMax);
  }
  return variables;
}

std::map<std::string, std::string> Fields::templates(std::string_view key, std::size_t count_max,
                                                     std::size_t bytes_max) const {
  std::map<std::string, std::string> texts;
  const Value* object = object_of(key, count_max);
  if (object == nullptr) return texts;
  for (const auto& [name, value] : object->items()) {
    if (fault_.any()) break;
    if (!is_name(name)) {
      fault_.set(path(key), "'{}': not a name", printable(name));
      break;
    }
    texts[name] = checked_text(value, fmt::format("{}.{}", path(key), name), bytes_max);
  }
  return texts;
}

std::vector<std::string> Fields::lines(std::string_view key, std::size_t count_max,
                                       std::size_t bytes_max) const {
  std::vector<std::string> result;
  const Value* array = array_of(key, count_max);
  if (array == nullptr) return result;
  for (std::size_t i = 0; i < array->size() && !fault_.any(); ++i) {
    const std::string where = fmt::format("{}[{}]", path(key), i);
    result.push_back(checked_text((*array)[i], where, bytes_max));
    if (has_control(result.back())) fault_.set(where, "control characters");
  }
  return result;
}

Fields Fields::object(std::string_view key) const {
  const Value* value = find(key);
  return {value == nullptr ? nothing() : *value, path(key), fault_};
}

void check_format(const Fields& root, std::uint64_t wanted) {
  const std::uint64_t format = root.number("format", UINT64_MAX);
  if (format != wanted)
    root.fault().set(root.path("format"), "format {}, this program reads {}", format, wanted);
}

}  // namespace farboot::json
