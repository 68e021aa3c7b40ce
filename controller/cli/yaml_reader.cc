#include "controller/cli/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "common/template/variables.h"

namespace farboot {
namespace {

/// [A-Za-z_][A-Za-z0-9_.-]*
bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (name.empty() || name.size() > 128 || !(letter(name[0]) || name[0] == '_')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

void YamlReader::wrong(const YamlNode& node, std::string_view what, std::string_view wanted) {
  const std::string there = node.kind == YamlNode::Kind::scalar
                                ? fmt::format("\"{}\"", printable(node.text, 60))
                                : std::string(describe(node));
  findings_.error(at(node), fmt::format("{}: want {}, not {}", what, wanted, there));
}

std::vector<YamlMember> YamlReader::map(const YamlNode& node, std::string_view what,
                                        const std::vector<std::string>& known) {
  std::vector<YamlMember> out;
  if (node.kind == YamlNode::Kind::null) return out;
  if (node.kind != YamlNode::Kind::map) {
    wrong(node, what, "a map");
    return out;
  }
  std::map<std::string, std::size_t> lines;
  for (const YamlMember& member : node.members) {
    const auto [first, fresh] = lines.emplace(member.key, member.line);
    if (!fresh) {
      findings_.error(at(member.line), fmt::format("{}: \"{}\" stands here twice, first in line {}",
                                                   what, printable(member.key), first->second));
      continue;
    }
    if (known.empty() || std::find(known.begin(), known.end(), member.key) != known.end()) {
      out.push_back(member);
      continue;
    }
    std::string hint = did_you_mean(member.key, known);
    if (hint.empty()) {
      hint = "keys here: ";
      for (std::size_t i = 0; i < known.size(); ++i) hint += (i == 0 ? "" : ", ") + known[i];
    }
    findings_.error(at(member.line),
                    fmt::format("{}: unknown key \"{}\"", what, printable(member.key)), hint);
  }
  return out;
}

const std::vector<YamlNode>& YamlReader::list(const YamlNode& node, std::string_view what) {
  static const std::vector<YamlNode> kNone;
  if (node.kind == YamlNode::Kind::list) return node.items;
  if (node.kind != YamlNode::Kind::null) wrong(node, what, "a list");
  return kNone;
}

std::string YamlReader::text(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlNode::Kind::scalar) return node.text;
  wrong(node, what, "a text");
  return {};
}

std::uint64_t YamlReader::number(const YamlNode& node, std::string_view what, std::uint64_t max) {
  std::uint64_t value = 0;
  const char* const end = node.text.data() + node.text.size();
  const auto [used, error] = std::from_chars(node.text.data(), end, value);
  const bool good = node.kind == YamlNode::Kind::scalar && !node.quoted && !node.text.empty() &&
                    error == std::errc() && used == end && value <= max;
  if (good) return value;
  wrong(node, what, fmt::format("a whole number from 0 to {}", max));
  return 0;
}

bool YamlReader::flag(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlNode::Kind::scalar && !node.quoted) {
    if (node.text == "true") return true;
    if (node.text == "false") return false;
  }
  wrong(node, what, "true or false");
  return false;
}

FleetVariables YamlReader::variables(const YamlNode& node) {
  FleetVariables out;
  for (const YamlMember& member : map(node, "variables")) {
    const Place place = at(member.line);
    if (!is_variable_name(member.key)) {
      findings_.error(place,
                      fmt::format("\"{}\" is not a name for a variable", printable(member.key)),
                      "letters, digits, dots, dashes, underscores; a letter first");
      continue;
    }
    const auto builtin = builtin_variables();
    if (std::any_of(builtin.begin(), builtin.end(),
                    [&](const BuiltinVariable& each) { return each.name == member.key; })) {
      findings_.error(place, fmt::format("variable {} is one of Farboot's own", member.key),
                      "choose another name");
      continue;
    }
    // An empty value is a value: it turns a section off at one site.
    out.values[member.key] =
        member.value.kind == YamlNode::Kind::null ? "" : text(member.value, member.key);
    out.places[member.key] = place;
  }
  return out;
}

}  // namespace farboot
