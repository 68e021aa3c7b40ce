#include "common/config/toml_file.h"

#include <toml++/toml.h>

namespace farboot {
namespace {

Result<Setting> to_setting(const toml::node& node) {
  if (const auto* value = node.as_boolean()) return Setting(value->get());
  if (const auto* value = node.as_integer()) return Setting(value->get());
  if (const auto* value = node.as_string()) return Setting(value->get());
  if (const auto* array = node.as_array()) {
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (text == nullptr) return fail(Errc::invalid, "a list may hold only strings");
      texts.push_back(text->get());
    }
    return Setting(std::move(texts));
  }
  return fail(Errc::invalid, "no setting is a floating-point number, date or time");
}

void flatten(const toml::table& table, const std::string& above, TomlFile& file) {
  for (const auto& [key, node] : table) {
    const std::string name = above + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      flatten(*inner, name + ".", file);
      continue;
    }
    file.entries.push_back({name, key.source().begin.line, to_setting(node)});
  }
}

}  // namespace

TomlFile parse_toml(std::string_view text) {
  TomlFile file;
  try {
    flatten(toml::parse(text), "", file);
  } catch (const toml::parse_error& error) {  // the library's way to say "wrong syntax"
    file.errors.push_back({error.source().begin.line, std::string(error.description())});
  }
  return file;
}

}  // namespace farboot
