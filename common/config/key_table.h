// A daemon's settings: one row per key says its name, type, default, range and meaning, and binds
// it to a field. The table checks the file, makes --help and the documentation.
//
//   struct Settings { std::string state_dir = "/var/lib/farboot"; std::uint16_t http_port = 80; };
//   KeyTable keys_of(Settings& s) {
//     KeyTable keys;
//     keys.path("state_dir", s.state_dir, "where everything is kept");
//     keys.integer("http_port", s.http_port, {1, 65535}, "port installers fetch from");
//     return keys;
//   }
//   auto loaded = keys_of(settings).load_file("/etc/farboot/agent.toml");
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

inline constexpr std::size_t kSettingsBytesMax = 1u << 20;

struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
struct ByteSizeRange {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::int64_t>::max();
};
struct DurationRange {
  Milliseconds min{0};
  Milliseconds max{std::chrono::hours(24 * 3650)};
};

/// Says what is wrong with a text beyond its type, subject first: `port 99999: out of range`.
using TextCheck = std::function<Result<void>(std::string_view)>;

/// A value as the file has it.
using Setting = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// The default of a key is what its field holds when the row is added. Names may have dots: they
/// are TOML tables then. Fields are borrowed and must outlive the table. A row that names a key
/// twice is a bug (FARBOOT_CHECK).
class KeyTable {
 public:
  KeyTable& text(std::string name, std::string& field, std::string help, TextCheck check = {});
  /// A relative path in the file is meant from the file's own folder.
  KeyTable& path(std::string name, std::string& field, std::string help);
  KeyTable& flag(std::string name, bool& field, std::string help);
  KeyTable& list(std::string name, std::vector<std::string>& field, std::string help,
                 TextCheck check_each = {});
  KeyTable& byte_size(std::string name, std::uint64_t& field, ByteSizeRange range,
                      std::string help);
  template <class Integer>
  KeyTable& integer(const std::string& name, Integer& field, IntegerRange range,
                    const std::string& help) {
    const auto set = [&field](std::int64_t value) { field = static_cast<Integer>(value); };
    return add_integer(name, static_cast<std::int64_t>(field), range, help, set);
  }
  template <class Rep, class Period>
  KeyTable& duration(const std::string& name, std::chrono::duration<Rep, Period>& field,
                     DurationRange range, const std::string& help) {
    using Duration = std::chrono::duration<Rep, Period>;
    const auto set = [&field](Milliseconds value) {
      field = std::chrono::duration_cast<Duration>(value);
    };
    return add_duration(name, std::chrono::duration_cast<Milliseconds>(field),
                        std::chrono::duration_cast<Milliseconds>(Duration(1)), range, help, set);
  }
  /// One of a few words, each standing for a value of the field's type.
  template <class Value>
  KeyTable& one_of(const std::string& name, Value& field,
                   std::initializer_list<std::pair<std::string_view, Value>> words,
                   const std::string& help) {
    std::vector<std::string> names;
    std::vector<Value> values;
    std::string now;
    for (const auto& [word, value] : words) {
      if (value == field) now = word;
      names.emplace_back(word);
      values.push_back(value);
    }
    const auto set = [&field, values](std::size_t at) { field = values[at]; };
    return add_words(name, now, std::move(names), help, set);
  }
  /// The row added last must be in the file.
  KeyTable& required();

  /// Reads the file into the fields. Errors: not_found, denied; invalid: everything that is wrong,
  /// one `file:line: key: what` a line. After an error some fields may be set.
  Result<void> load_file(const std::string& path);
  /// The same from memory; `source` stands for the file's name.
  Result<void> load_text(std::string_view text, const std::string& source);

  /// For --help: a line for each key, its default, range and meaning.
  std::string help() const;
  /// For docs: a Markdown table.
  std::string markdown() const;

 private:
  struct Row {
    std::string name;
    std::string type;   ///< with its range, for people
    std::string value;  ///< the default, for people
    std::string help;
    std::function<Result<void>(const Setting&)> set;
    bool required = false;
    bool seen = false;
  };
  KeyTable& add(Row row);
  KeyTable& add_integer(std::string name, std::int64_t value, IntegerRange range, std::string help,
                        std::function<void(std::int64_t)> set);
  KeyTable& add_duration(std::string name, Milliseconds value, Milliseconds step,
                         DurationRange range, std::string help,
                         std::function<void(Milliseconds)> set);
  KeyTable& add_words(std::string name, const std::string& value, std::vector<std::string> words,
                      std::string help, std::function<void(std::size_t)> set);
  Row* find(std::string_view name);
  std::string nearest(std::string_view name) const;

  std::vector<Row> rows_;
  /// Of the file being loaded. Shared with the rows, so that the table may be moved.
  std::shared_ptr<std::string> folder_ = std::make_shared<std::string>();
};

}  // namespace farboot
