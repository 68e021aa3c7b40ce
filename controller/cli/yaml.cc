#include "controller/cli/yaml.h"

#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace farboot {
namespace {

std::size_t line_of(const YAML::Mark& mark) {
  return mark.line < 0 ? 1 : static_cast<std::size_t>(mark.line) + 1;
}

class Converter {
 public:
  /// False: too large or too deep.
  bool convert(const YAML::Node& from, YamlNode& to, std::size_t depth) {
    if (++nodes_ > kYamlNodesMax || depth > kYamlDepthMax) return false;
    to.line = line_of(from.Mark());
    switch (from.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null: to.kind = YamlNode::Kind::null; return true;
      case YAML::NodeType::Scalar:
        to.kind = YamlNode::Kind::scalar;
        to.text = from.Scalar();
        to.quoted = from.Tag() == "!";
        return true;
      case YAML::NodeType::Sequence: return convert_list(from, to, depth);
      case YAML::NodeType::Map: return convert_map(from, to, depth);
    }
    return false;
  }

 private:
  bool convert_list(const YAML::Node& from, YamlNode& to, std::size_t depth) {
    to.kind = YamlNode::Kind::list;
    for (const YAML::Node& item : from) {
      to.items.emplace_back();
      if (!convert(item, to.items.back(), depth + 1)) return false;
    }
    return true;
  }

  bool convert_map(const YAML::Node& from, YamlNode& to, std::size_t depth) {
    to.kind = YamlNode::Kind::map;
    for (const auto& member : from) {
      to.members.emplace_back();
      YamlMember& made = to.members.back();
      made.key = member.first.IsScalar() ? member.first.Scalar() : std::string();
      made.line = line_of(member.first.Mark());
      if (!convert(member.second, made.value, depth + 1)) return false;
    }
    return true;
  }

  std::size_t nodes_ = 0;
};

/// Where documents begin.
class Beginnings final : public YAML::EventHandler {
 public:
  std::size_t line = 0;

  void OnDocumentStart(const YAML::Mark& mark) override { line = line_of(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// The line where something stands behind the first document; 0: nothing does. yaml-cpp 0.7 does
/// not get past what begins no document (`, a`): its LoadAll() would find empty ones without end.
std::size_t second_document(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Beginnings beginnings;
  return parser.HandleNextDocument(beginnings) && parser.HandleNextDocument(beginnings)
             ? beginnings.line
             : 0;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlMember& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

Result<YamlNode> parse_yaml(std::string_view text) {
  if (text.size() > kYamlBytesMax)
    return fail(Errc::invalid, "line 1: {} bytes, at most {} are possible", text.size(),
                kYamlBytesMax);
  if (!is_utf8(text)) return fail(Errc::invalid, "line 1: is not UTF-8");
  try {
    const std::string whole(text);
    if (const std::size_t line = second_document(whole); line > 0)
      return fail(Errc::invalid, "line {}: a second document begins; only one is read", line);
    YamlNode root;
    if (!Converter().convert(YAML::Load(whole), root, 0))
      return fail(Errc::invalid, "line 1: over {} values, or nested over {} deep", kYamlNodesMax,
                  kYamlDepthMax);
    return root;
  } catch (const YAML::Exception& error) {
    return fail(Errc::invalid, "line {}: {}", error.mark.line + 1, error.msg);
  }
}

std::string_view describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null: return "nothing";
    case YamlNode::Kind::scalar: return "a text";
    case YamlNode::Kind::list: return "a list";
    case YamlNode::Kind::map: return "a map";
  }
  return "something else";
}

}  // namespace farboot
