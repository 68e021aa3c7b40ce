// A TOML file as a flat list of settings with their lines. The one place that sees toml++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/key_table.h"

namespace farboot {

struct TomlEntry {
  std::string name;      ///< tables joined by dots
  std::size_t line = 0;  ///< 1-based
  /// Errors: a type that no setting has.
  Result<Setting> value = Setting{};
};

struct TomlError {
  std::size_t line = 0;
  std::string what;
};

/// Errors are of syntax: the first one only, for what follows cannot be trusted.
struct TomlFile {
  std::vector<TomlEntry> entries;
  std::vector<TomlError> errors;
};

/// For local files of the operator, not for bytes from the network.
TomlFile parse_toml(std::string_view text);

}  // namespace farboot
