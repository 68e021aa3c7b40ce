#include "common/config/key_table.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <system_error>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/config/toml_file.h"
#include "common/config/units.h"

namespace farboot {
namespace {

constexpr std::size_t kNearDistanceMax = 3;  ///< letters wrong for "did you mean"

template <class T>
Result<T> as(const Setting& setting, std::string_view wanted) {
  if (const T* value = std::get_if<T>(&setting)) return *value;
  return fail(Errc::invalid, "must be {}", wanted);
}

std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}\"", printable(text, 1000));
}

std::string list_text(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& element : list) {
    text += (text.empty() ? "" : ", ") + in_quotes(element);
  }
  return "[" + text + "]";
}

/// Edits that turn one word into the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({change, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

/// Text for one cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

KeyTable& KeyTable::add(Row row) {
  FARBOOT_CHECK(find(row.name) == nullptr);
  rows_.push_back(std::move(row));
  return *this;
}

KeyTable& KeyTable::required() {
  FARBOOT_CHECK(!rows_.empty());
  rows_.back().required = true;
  return *this;
}

KeyTable::Row* KeyTable::find(std::string_view name) {
  const auto it =
      std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) { return row.name == name; });
  return it == rows_.end() ? nullptr : &*it;
}

KeyTable& KeyTable::text(std::string name, std::string& field, std::string help, TextCheck check) {
  const auto set = [&field, check = std::move(check)](const Setting& setting) -> Result<void> {
    auto value = as<std::string>(setting, "a string in quotes");
    if (!value) return value.error();
    if (check) {
      if (auto ok = check(*value); !ok) return ok.error();
    }
    field = std::move(*value);
    return {};
  };
  return add({std::move(name), "string", in_quotes(field), std::move(help), set});
}

KeyTable& KeyTable::path(std::string name, std::string& field, std::string help) {
  const auto set = [folder = folder_, &field](const Setting& setting) -> Result<void> {
    auto value = as<std::string>(setting, "a path in quotes");
    if (!value) return value.error();
    if (value->empty()) return fail(Errc::invalid, "must not be empty");
    if (value->find('\0') != std::string::npos) return fail(Errc::invalid, "holds a zero byte");
    const std::filesystem::path given(*value);
    field = (given.is_absolute() || folder->empty() ? given : *folder / given)
                .lexically_normal()
                .string();
    return {};
  };
  return add({std::move(name), "path", in_quotes(field), std::move(help), set});
}

KeyTable& KeyTable::flag(std::string name, bool& field, std::string help) {
  const auto set = [&field](const Setting& setting) -> Result<void> {
    auto value = as<bool>(setting, "true or false");
    if (!value) return value.error();
    field = *value;
    return {};
  };
  return add({std::move(name), "true or false", field ? "true" : "false", std::move(help), set});
}

KeyTable& KeyTable::list(std::string name, std::vector<std::string>& field, std::string help,
                         TextCheck check_each) {
  const auto set = [&field,
                    check_each = std::move(check_each)](const Setting& setting) -> Result<void> {
    auto value = as<std::vector<std::string>>(setting, "a list of strings: [\"a\", \"b\"]");
    if (!value) return value.error();
    for (const std::string& element : *value) {
      if (!check_each) break;
      if (auto ok = check_each(element); !ok) return ok.error();
    }
    field = std::move(*value);
    return {};
  };
  return add({std::move(name), "list of strings", list_text(field), std::move(help), set});
}

KeyTable& KeyTable::byte_size(std::string name, std::uint64_t& field, ByteSizeRange range,
                              std::string help) {
  const auto set = [&field, range](const Setting& setting) -> Result<void> {
    std::uint64_t bytes = 0;
    if (const auto* number = std::get_if<std::int64_t>(&setting)) {
      if (*number < 0) return fail(Errc::invalid, "must not be negative");
      bytes = static_cast<std::uint64_t>(*number);
    } else if (const auto* written = std::get_if<std::string>(&setting)) {
      auto parsed = parse_byte_size(*written);
      if (!parsed) return parsed.error();
      bytes = *parsed;
    } else {
      return fail(Errc::invalid, "must be a size: \"80GB\", \"512MiB\" or a number of bytes");
    }
    if (bytes < range.min || bytes > range.max) {
      return fail(Errc::invalid, "{} is out of range: {} to {}", format_byte_size(bytes),
                  format_byte_size(range.min), format_byte_size(range.max));
    }
    field = bytes;
    return {};
  };
  std::string type = "size";
  if (range.max < ByteSizeRange{}.max) {
    type += fmt::format(" {} to {}", format_byte_size(range.min), format_byte_size(range.max));
  } else if (range.min > 0) {
    type += fmt::format(", at least {}", format_byte_size(range.min));
  }
  return add({std::move(name), type, in_quotes(format_byte_size(field)), std::move(help), set});
}

KeyTable& KeyTable::add_integer(std::string name, std::int64_t value, IntegerRange range,
                                std::string help, std::function<void(std::int64_t)> assign) {
  const auto set = [assign = std::move(assign), range](const Setting& setting) -> Result<void> {
    auto number = as<std::int64_t>(setting, "a whole number");
    if (!number) return number.error();
    if (*number < range.min || *number > range.max) {
      return fail(Errc::invalid, "{} is out of range: {} to {}", *number, range.min, range.max);
    }
    assign(*number);
    return {};
  };
  std::string type = range.max == IntegerRange{}.max
                         ? fmt::format("number, at least {}", range.min)
                         : fmt::format("number {} to {}", range.min, range.max);
  return add({std::move(name), std::move(type), fmt::format("{}", value), std::move(help), set});
}

KeyTable& KeyTable::add_duration(std::string name, Milliseconds value, Milliseconds step,
                                 DurationRange range, std::string help,
                                 std::function<void(Milliseconds)> assign) {
  const auto set = [assign = std::move(assign), step,
                    range](const Setting& setting) -> Result<void> {
    auto written = as<std::string>(setting, "a duration in quotes: \"10s\", \"5m\"");
    if (!written) return written.error();
    auto parsed = parse_duration(*written);
    if (!parsed) return parsed.error();
    if (*parsed < range.min || *parsed > range.max) {
      return fail(Errc::invalid, "{} is out of range: {} to {}", *written,
                  format_duration(range.min), format_duration(range.max));
    }
    if (*parsed % step != Milliseconds(0)) {
      return fail(Errc::invalid, "{} is too fine: whole multiples of {}", *written,
                  format_duration(step));
    }
    assign(*parsed);
    return {};
  };
  std::string type =
      fmt::format("duration {} to {}", format_duration(range.min), format_duration(range.max));
  return add(
      {std::move(name), std::move(type), in_quotes(format_duration(value)), std::move(help), set});
}

KeyTable& KeyTable::add_words(std::string name, const std::string& value,
                              std::vector<std::string> words, std::string help,
                              std::function<void(std::size_t)> assign) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  const auto set = [assign = std::move(assign), words = std::move(words),
                    all](const Setting& setting) -> Result<void> {
    auto word = as<std::string>(setting, "one of: " + all);
    if (!word) return word.error();
    const auto it = std::find(words.begin(), words.end(), *word);
    if (it == words.end()) {
      return fail(Errc::invalid, "{} is none of: {}", in_quotes(*word), all);
    }
    assign(static_cast<std::size_t>(it - words.begin()));
    return {};
  };
  return add({std::move(name), "one of " + all, in_quotes(value), std::move(help), set});
}

std::string KeyTable::nearest(std::string_view name) const {
  std::string best;
  std::size_t least = kNearDistanceMax + 1;
  for (const Row& row : rows_) {
    const std::size_t edits = distance(name, row.name);
    if (edits >= least || edits * 3 > row.name.size()) continue;
    least = edits;
    best = row.name;
  }
  return best;
}

Result<void> KeyTable::load_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int code = errno;
    const Errc errc = code == ENOENT ? Errc::not_found : Errc::denied;
    return fail(errc, "{}: {}", path, std::error_code(code, std::generic_category()).message());
  }
  std::string text(kSettingsBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(Errc::unavailable, "{}: cannot be read", path);
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kSettingsBytesMax) {
    return fail(Errc::invalid, "{}: longer than {} bytes", path, kSettingsBytesMax);
  }
  std::error_code ignored;
  *folder_ = std::filesystem::absolute(path, ignored).parent_path().string();
  return load_text(text, path);
}

Result<void> KeyTable::load_text(std::string_view text, const std::string& source) {
  TomlFile file = parse_toml(text);
  std::vector<TomlError>& errors = file.errors;
  for (Row& row : rows_) row.seen = false;
  for (const TomlEntry& entry : file.entries) {
    Row* const row = find(entry.name);
    if (row == nullptr) {
      const std::string near = nearest(entry.name);
      errors.push_back({entry.line, printable(entry.name) + ": no such key" +
                                        (near.empty() ? "" : "; did you mean " + near + "?")});
      continue;
    }
    row->seen = true;
    auto done = entry.value ? row->set(*entry.value) : Result<void>(entry.value.error());
    if (!done) errors.push_back({entry.line, row->name + ": " + done.error().what});
  }
  std::stable_sort(errors.begin(), errors.end(),
                   [](const TomlError& a, const TomlError& b) { return a.line < b.line; });
  std::string all;
  const auto add_line = [&](const std::string& line) { all += (all.empty() ? "" : "\n") + line; };
  for (const TomlError& error : errors) {
    add_line(fmt::format("{}:{}: {}", source, error.line, error.what));
  }
  // After a syntax error nothing is known to be missing.
  const bool whole = !file.entries.empty() || errors.empty();
  for (const Row& row : rows_) {
    if (whole && row.required && !row.seen) {
      add_line(fmt::format("{}: {}: missing: {}", source, row.name, row.help));
    }
  }
  if (!all.empty()) return Error{Errc::invalid, std::move(all)};
  return {};
}

std::string KeyTable::help() const {
  std::size_t width = 0;
  for (const Row& row : rows_) {
    width = std::max(width, row.name.size() + (row.required ? 0 : 3 + row.value.size()));
  }
  width = std::min<std::size_t>(width, 40);
  std::string text;
  for (const Row& row : rows_) {
    const std::string left = row.required ? row.name : row.name + " = " + row.value;
    text += fmt::format("  {:<{}}  {} ({}{})\n", left, width, row.help, row.type,
                        row.required ? "; required" : "");
  }
  return text;
}

std::string KeyTable::markdown() const {
  std::string text = "| key | default | type and range | meaning |\n|---|---|---|---|\n";
  for (const Row& row : rows_) {
    const std::string value = row.required ? "required" : "`" + cell(row.value) + "`";
    text +=
        fmt::format("| `{}` | {} | {} | {} |\n", row.name, value, cell(row.type), cell(row.help));
  }
  return text;
}

}  // namespace farboot
