// Typed fields of a JSON document from outside. Private to common/content: nlohmann's header is
// costly, and nobody else decodes these documents.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/release.h"

namespace farboot::json {

using Value = nlohmann::json;  // objects sort their keys: the same document gives the same bytes

inline constexpr std::size_t kDepthMax = 32;
inline constexpr std::uint64_t kMillisecondsMax = 253'402'300'799'999;  ///< end of the year 9999
inline constexpr std::size_t kVariablesMax = 2000;
inline constexpr std::size_t kVariableNameBytesMax = 128;
inline constexpr std::size_t kVariableBytesMax = 64 * 1024;

/// What is wrong with a document: the first thing found, with its path.
class Fault {
 public:
  template <class... Args>
  void set(std::string_view path, fmt::format_string<Args...> format, Args&&... args) {
    if (!error_)
      error_ =
          fail(Errc::invalid, "{}: {}", path, fmt::format(format, std::forward<Args>(args)...));
  }
  bool any() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

/// Parses without exceptions. Faults: too long, not JSON, nested too deep.
Value parse(ByteView document, std::size_t bytes_max, Fault& fault);
/// One line, keys sorted, no blanks.
Bytes dump(const Value& value);

/// One object. Keys that nobody asks for are tolerated: a newer writer may add some. A field that
/// is absent or null gives its default; one of another type is a fault, and gives the default too.
class Fields {
 public:
  Fields(const Value& value, std::string path, Fault& fault);

  std::string path(std::string_view key) const { return fmt::format("{}.{}", path_, key); }
  Fault& fault() const { return fault_; }

  /// It is there, and not null.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Any text without NUL.
  std::string text(std::string_view key, std::size_t bytes_max) const;
  /// Text on one line: no control characters.
  std::string line(std::string_view key, std::size_t bytes_max) const;
  /// Must be there and be an is_name().
  std::string name(std::string_view key) const;
  /// An is_name() or empty.
  std::string name_or_empty(std::string_view key) const;
  /// An is_tree_path() or empty.
  std::string tree_path_or_empty(std::string_view key) const;
  std::uint64_t number(std::string_view key, std::uint64_t max) const;
  std::optional<Digest> digest(std::string_view key) const;
  Variables variables(std::string_view key) const;
  /// Texts by is_name().
  std::map<std::string, std::string> templates(std::string_view key, std::size_t count_max,
                                               std::size_t bytes_max) const;
  std::vector<std::string> lines(std::string_view key, std::size_t count_max,
                                 std::size_t bytes_max) const;
  Fields object(std::string_view key) const;

  /// Calls `read(name, fields)` for each member of the object `key`, where `fields` is that object.
  template <class Read>
  void members(std::string_view key, std::size_t count_max, Read&& read) const {
    const Value* object = object_of(key, count_max);
    if (object == nullptr) return;
    const Fields fields(*object, path(key), fault_);
    for (const auto& [name, value] : object->items()) {
      if (fault_.any()) return;
      read(name, fields);
    }
  }

  /// Calls `read(Fields)` for each object of the array `key`.
  template <class Read>
  void each(std::string_view key, std::size_t count_max, Read&& read) const {
    const Value* array = array_of(key, count_max);
    if (array == nullptr) return;
    for (std::size_t i = 0; i < array->size() && !fault_.any(); ++i)
      read(Fields((*array)[i], fmt::format("{}.{}[{}]", path_, key, i), fault_));
  }

 private:
  const Value* find(std::string_view key) const;
  const Value* array_of(std::string_view key, std::size_t count_max) const;
  const Value* object_of(std::string_view key, std::size_t count_max) const;
  std::string checked_text(const Value& value, const std::string& path,
                           std::size_t bytes_max) const;

  const Value& value_;
  std::string path_;
  Fault& fault_;
};

/// `format` must be there and be `wanted`.
void check_format(const Fields& root, std::uint64_t wanted);

}  // namespace farboot::json
