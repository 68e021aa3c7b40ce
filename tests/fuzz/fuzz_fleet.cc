// A fleet directory: fleet.yaml, a site's, a kickstart and a menu, with a line `%%` between them.
// Findings point into the files; what has none can be made into what the controller reads.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "controller/cli/fleet_check.h"
#include "controller/cli/fleet_spec.h"

namespace {

using namespace farboot;

constexpr std::string_view kBetween = "\n%%\n";

std::array<std::string_view, 4> parts_of(std::string_view text) {
  std::array<std::string_view, 4> parts;
  for (std::string_view& part : parts) {
    const std::size_t end = std::min(text.find(kBetween), text.size());
    part = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + kBetween.size()));
  }
  return parts;
}

void measure(const YamlNode& node, std::size_t depth, std::size_t& nodes) {
  FARBOOT_CHECK(depth <= kYamlDepthMax + 1 && ++nodes <= kYamlNodesMax + 1);
  for (const YamlNode& item : node.items) measure(item, depth + 1, nodes);
  for (const YamlMember& member : node.members) measure(member.value, depth + 1, nodes);
}

const YamlNode* read(const Result<YamlNode>& yaml) {
  if (!yaml) {
    FARBOOT_CHECK(yaml.error().what.starts_with("line "));
    return nullptr;
  }
  std::size_t nodes = 0;
  measure(*yaml, 1, nodes);
  return &*yaml;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto parts = parts_of(as_text(ByteView(bytes, size)));
  const auto fleet_yaml = parse_yaml(parts[0]);
  const auto site_yaml = parse_yaml(parts[1]);
  FleetDirectory fleet;
  Findings findings;
  if (const YamlNode* root = read(fleet_yaml))
    read_fleet_yaml(*root, "fleet.yaml", fleet, findings);
  if (const YamlNode* root = read(site_yaml))
    fleet.sites.push_back(read_site_yaml(*root, "lyon", "sites/lyon.yaml", findings));
  if (is_utf8(parts[2])) fleet.kickstarts["base"] = {std::string(parts[2]), "kickstarts/base.ks"};
  if (is_utf8(parts[3])) {  // as read_fleet() demands it
    fleet.menus["own"] = {std::string(parts[3]), "menus/own.ipxe"};
    fleet.snippets["part"] = {std::string(parts[3]), "snippets/part"};
  }
  check_fleet(fleet, {}, findings);

  const auto lines = static_cast<std::size_t>(std::count(bytes, bytes + size, '\n'));
  for (const Finding& finding : findings.sorted())
    FARBOOT_CHECK(!finding.text.empty() && finding.place.line <= lines + 2);
  if (findings.errors() > 0) return 0;
  const auto sent = send_fleet(fleet, "fuzz", Pieces::send, [](const v1::FleetSpec& part) {
    v1::FleetSpec again;
    FARBOOT_CHECK(again.ParseFromString(part.SerializeAsString()));
    return true;
  });
  FARBOOT_CHECK(sent.has_value());
  return 0;
}
