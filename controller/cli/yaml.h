// YAML as a plain tree with line numbers. yaml-cpp, and the exceptions it throws, stay in yaml.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

inline constexpr std::size_t kYamlBytesMax = 16u << 20;
inline constexpr std::size_t kYamlNodesMax = 2'000'000;  ///< aliases counted as often as they stand
inline constexpr std::size_t kYamlDepthMax = 32;

struct YamlMember;

struct YamlNode {
  enum class Kind {
    null,
    scalar,
    list,
    map
  };
  Kind kind = Kind::null;
  std::string text;      ///< of a scalar
  bool quoted = false;   ///< "5" and '5' are texts, never numbers
  std::size_t line = 1;  ///< 1-based
  std::vector<YamlNode> items;
  std::vector<YamlMember> members;  ///< in file order; a key written twice is here twice

  const YamlNode* find(std::string_view key) const;
};

struct YamlMember {
  std::string key;
  std::size_t line = 1;
  YamlNode value;
};

/// One document. Errors: invalid, the text begins `line N: `.
Result<YamlNode> parse_yaml(std::string_view text);

/// `a list`, `a map`, `a text`, `nothing`: what stands there instead of what was wanted.
std::string_view describe(const YamlNode& node);

}  // namespace farboot
