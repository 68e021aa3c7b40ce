// Typed values out of a YAML tree. What has the wrong type is reported and read as empty, so that
// one look finds every mistake.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/cli/findings.h"
#include "controller/cli/fleet_directory.h"
#include "controller/cli/yaml.h"

namespace farboot {

class YamlReader {
 public:
  YamlReader(std::string file, Findings& findings) : file_(std::move(file)), findings_(findings) {}

  Place at(std::size_t line) const { return {file_, line}; }
  Place at(const YamlNode& node) const { return {file_, node.line}; }
  Findings& findings() { return findings_; }

  /// The members whose keys are among `known`; each other key is reported, as is a key that stands
  /// twice. An empty `known` takes every key. Nothing there is an empty map.
  std::vector<YamlMember> map(const YamlNode& node, std::string_view what,
                              const std::vector<std::string>& known = {});
  const std::vector<YamlNode>& list(const YamlNode& node, std::string_view what);
  std::string text(const YamlNode& node, std::string_view what);
  std::uint64_t number(const YamlNode& node, std::string_view what, std::uint64_t max);
  bool flag(const YamlNode& node, std::string_view what);
  /// Values are texts as they stand (`5`, `true`, `1.0` too).
  FleetVariables variables(const YamlNode& node);

 private:
  void wrong(const YamlNode& node, std::string_view what, std::string_view wanted);

  std::string file_;
  Findings& findings_;
};

}  // namespace farboot
