// The two kinds of YAML file, value by value.
#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "controller/cli/fleet_directory.h"
#include "controller/cli/yaml_reader.h"

namespace farboot {
namespace {

constexpr std::uint64_t kTimeoutSecondsMax = 24 * 3600;
constexpr std::uint64_t kInstallsMax = 10'000;

void read_kind(YamlReader& reader, const YamlNode& node, FleetEntry& out) {
  const std::string text = reader.text(node, "kind");
  const auto kind = entry_kind(text);
  if (kind) {
    out.entry.kind = *kind;
    return;
  }
  out.kind_known = false;
  reader.findings().error(
      reader.at(node),
      fmt::format("kind: want install, tool, winpe, shell or local, not \"{}\"", printable(text)),
      did_you_mean(text, {"install", "tool", "winpe", "shell", "local"}));
}

void read_args_style(YamlReader& reader, const YamlNode& node, BootEntry& out) {
  out.args_style = reader.text(node, "args_style");
  if (out.args_style == "inst" || out.args_style == "legacy") return;
  reader.findings().error(
      reader.at(node),
      fmt::format("args_style: want inst or legacy, not \"{}\"", printable(out.args_style)));
}

/// `assets/memtest.efi`, or `{bios: assets/memtest.bin, efi: assets/memtest.efi}`.
FleetSources read_sources(YamlReader& reader, const YamlNode& node, const std::string& what) {
  FleetSources out;
  const auto add = [&](const std::string& platform, const YamlNode& value) {
    const std::string text = reader.text(value, what);
    if (value.kind == YamlNode::Kind::scalar && !file_source(text))
      reader.findings().error(
          reader.at(value), fmt::format("{}: \"{}\" is no place of a file", what, printable(text)),
          "assets/PATH, loaders/PATH, or image/PATH in the entry's image");
    out.values[platform] = text;
    out.places[platform] = reader.at(value);
  };
  if (node.kind != YamlNode::Kind::map) {
    add("any", node);
    return out;
  }
  if (node.members.empty())
    reader.findings().error(reader.at(node), what + ": names no file",
                            "by platform: {bios: assets/memtest.bin, efi: assets/memtest.efi}");
  for (const YamlMember& member : reader.map(node, what, {kPlatforms.begin(), kPlatforms.end()}))
    add(member.key, member.value);
  return out;
}

bool is_empty(const YamlNode& node) {
  return node.kind == YamlNode::Kind::null ||
         (node.kind == YamlNode::Kind::map && node.members.empty());
}

void read_files(YamlReader& reader, const YamlNode& node, FleetEntry& out) {
  for (const YamlMember& member : reader.map(node, "files")) {
    if (!is_boot_file_name(member.key)) {
      reader.findings().error(
          reader.at(member.line),
          fmt::format("files: \"{}\" is not a name a file can have in the machine",
                      printable(member.key)),
          "letters, digits and . _ / + = - with single blanks between words");
      continue;
    }
    out.files[member.key] = read_sources(reader, member.value, "files: " + member.key);
    out.entry.files[member.key] = out.files[member.key].values;
  }
}

FleetEntry read_entry(YamlReader& reader, const YamlMember& member) {
  FleetEntry out;
  out.entry.name = member.key;
  out.place = reader.at(member.line);
  out.kind = out.image = out.kickstart = out.args = out.args_style = out.key = out.place;
  if (!is_name(member.key))
    reader.findings().error(out.place,
                            fmt::format("\"{}\" is not a name for an entry", printable(member.key)),
                            "names are lower-case letters, digits, dots, dashes, underscores");
  const std::string what = "entry " + member.key;
  for (const YamlMember& field : reader.map(member.value, what,
                                            {"title", "image", "kickstart", "args", "args_style",
                                             "key", "kind", "variables", "boot", "files"})) {
    const YamlNode& value = field.value;
    if (field.key == "title") out.entry.title = reader.text(value, "title");
    if (field.key == "image") {
      out.entry.image = reader.text(value, "image");
      out.image = reader.at(value);
    }
    if (field.key == "kickstart") {
      out.entry.kickstart = reader.text(value, "kickstart");
      out.kickstart = reader.at(value);
    }
    if (field.key == "args") {
      out.entry.args = reader.text(value, "args");
      out.args = reader.at(value);
    }
    if (field.key == "args_style") {
      read_args_style(reader, value, out.entry);
      out.args_style = reader.at(value);
    }
    if (field.key == "key") {
      out.entry.key = reader.text(value, "key");
      out.key = reader.at(value);
    }
    if (field.key == "kind") {
      read_kind(reader, value, out);
      out.kind = reader.at(value);
    }
    // Nothing in it is as good as no `boot`: the entry boots what its kind does.
    if (field.key == "boot" && !is_empty(value)) out.boot = read_sources(reader, value, "boot");
    if (field.key == "files") read_files(reader, value, out);
    if (field.key == "variables") out.variables = reader.variables(value);
  }
  if (out.entry.title.empty()) out.entry.title = out.entry.name;
  out.entry.variables = out.variables.values;
  out.entry.boot = out.boot.values;
  return out;
}

void read_lines(YamlReader& reader, const YamlNode& node, std::size_t depth,
                std::vector<MenuItem>& lines, std::vector<MenuPlaces>& places);

/// `{menu: tools, title: Tools, key: t, entries: […]}`
void read_sub_menu(YamlReader& reader, const YamlNode& node, std::size_t depth, MenuItem& item,
                   MenuPlaces& places) {
  item.kind = MenuItem::Kind::menu;
  bool named = false;
  for (const YamlMember& field :
       reader.map(node, "menu in the menu", {"menu", "title", "key", "entries"})) {
    if (field.key == "menu") {
      item.name = reader.text(field.value, "menu");
      places.place = reader.at(field.value);
      named = true;
    }
    if (field.key == "title") item.title = reader.text(field.value, "title");
    if (field.key == "key") {
      item.key = reader.text(field.value, "key");
      places.key = reader.at(field.value);
    }
    if (field.key == "entries" && depth > kMenuDepthMax)
      reader.findings().error(reader.at(field.line),
                              fmt::format("menus in menus over {} deep", kMenuDepthMax));
    else if (field.key == "entries")
      read_lines(reader, field.value, depth, item.items, places.items);
  }
  if (!named || !is_name(item.name))
    reader.findings().error(
        places.place,
        named ? fmt::format("\"{}\" is not a name for a menu", printable(item.name))
              : std::string("a menu in the menu needs a name"),
        "{menu: tools, title: Tools, entries: [memtest, shell]}");
  if (item.title.empty()) item.title = item.name;
}

void read_lines(YamlReader& reader, const YamlNode& node, std::size_t depth,
                std::vector<MenuItem>& lines, std::vector<MenuPlaces>& places) {
  for (const YamlNode& line : reader.list(node, "entries")) {
    MenuPlaces& place = places.emplace_back();
    place.place = place.key = reader.at(line);
    if (line.kind == YamlNode::Kind::map)
      read_sub_menu(reader, line, depth + 1, lines.emplace_back(), place);
    else
      lines.emplace_back(reader.text(line, "entries"));
  }
}

FleetMenu read_menu(YamlReader& reader, const YamlMember& member) {
  FleetMenu out;
  out.place = reader.at(member.line);
  out.title = out.timeout = out.default_entry = out.picture = out.template_name = out.place;
  for (const YamlMember& field :
       reader.map(member.value, "menu",
                  {"title", "timeout", "default", "picture", "template", "entries"})) {
    const YamlNode& value = field.value;
    if (field.key == "title") {
      out.menu.title = reader.text(value, "title");
      out.title = reader.at(value);
    }
    if (field.key == "timeout") {
      out.menu.timeout =
          Seconds(static_cast<std::int64_t>(reader.number(value, "timeout", kTimeoutSecondsMax)));
      out.timeout = reader.at(value);
    }
    if (field.key == "default") {
      out.menu.default_entry = reader.text(value, "default");
      out.default_entry = reader.at(value);
    }
    if (field.key == "picture") {
      out.menu.picture = reader.text(value, "picture");
      out.picture = reader.at(value);
    }
    if (field.key == "template") {
      out.menu.template_name = reader.text(value, "template");
      out.template_name = reader.at(value);
    }
    if (field.key == "entries") {
      out.entries_written = true;
      read_lines(reader, value, 0, out.menu.entries, out.entries);
    }
  }
  return out;
}

FleetHost read_host(YamlReader& reader, const YamlMember& member) {
  FleetHost out;
  out.host.name = member.key;
  out.place = reader.at(member.line);
  out.entry = out.uuid = out.serial = out.install_place = out.place;
  if (!is_name(member.key))
    reader.findings().error(out.place,
                            fmt::format("\"{}\" is not a name for a host", printable(member.key)),
                            "names are lower-case letters, digits, dots, dashes, underscores");
  for (const YamlMember& field :
       reader.map(member.value, "host " + member.key,
                  {"macs", "uuid", "serial", "entry", "install", "variables"})) {
    const YamlNode& value = field.value;
    if (field.key == "macs") {
      for (const YamlNode& item : reader.list(value, "macs")) {
        out.host.macs.push_back(reader.text(item, "macs"));
        out.macs.push_back(reader.at(item));
      }
    }
    if (field.key == "uuid") {
      out.host.uuid = reader.text(value, "uuid");
      out.uuid = reader.at(value);
    }
    if (field.key == "serial") {
      out.host.serial = reader.text(value, "serial");
      out.serial = reader.at(value);
    }
    if (field.key == "entry") {
      out.host.entry = reader.text(value, "entry");
      out.entry = reader.at(value);
    }
    if (field.key == "install") {
      out.install = reader.flag(value, "install");
      out.install_place = reader.at(value);
    }
    if (field.key == "variables") out.variables = reader.variables(value);
  }
  out.host.variables = out.variables.values;
  return out;
}

SiteLimits read_limits(YamlReader& reader, const YamlNode& node) {
  SiteLimits out;
  for (const YamlMember& field :
       reader.map(node, "limits", {"wan_bytes_per_second", "installs_at_once_max"})) {
    if (field.key == "wan_bytes_per_second")
      out.wan_bytes_per_second =
          reader.number(field.value, field.key, std::numeric_limits<std::int64_t>::max());
    if (field.key == "installs_at_once_max")
      out.installs_at_once_max =
          static_cast<std::uint32_t>(reader.number(field.value, field.key, kInstallsMax));
  }
  return out;
}

}  // namespace

void read_fleet_yaml(const YamlNode& root, const std::string& file, FleetDirectory& fleet,
                     Findings& findings) {
  YamlReader reader(file, findings);
  fleet.menu.place = fleet.menu.title = {file, 0};
  for (const YamlMember& field : reader.map(root, "fleet.yaml", {"variables", "menu", "entries"})) {
    if (field.key == "variables") fleet.variables = reader.variables(field.value);
    if (field.key == "menu") fleet.menu = read_menu(reader, field);
    if (field.key == "entries")
      for (const YamlMember& entry : reader.map(field.value, "entries"))
        fleet.entries.push_back(read_entry(reader, entry));
  }
  if (fleet.menu.entries_written) return;
  for (const FleetEntry& entry : fleet.entries) {
    fleet.menu.menu.entries.push_back(entry.entry.name);
    fleet.menu.entries.push_back({entry.place, entry.place, {}});
  }
}

FleetSite read_site_yaml(const YamlNode& root, const std::string& name, const std::string& file,
                         Findings& findings) {
  YamlReader reader(file, findings);
  FleetSite site;
  site.name = name;
  site.place = {file, 0};
  for (const YamlMember& field :
       reader.map(root, "site", {"labels", "variables", "limits", "hosts"})) {
    if (field.key == "labels") site.labels = reader.variables(field.value).values;
    if (field.key == "variables") site.variables = reader.variables(field.value);
    if (field.key == "limits") site.limits = read_limits(reader, field.value);
    if (field.key == "hosts")
      for (const YamlMember& host : reader.map(field.value, "hosts"))
        site.hosts.push_back(read_host(reader, host));
  }
  return site;
}

}  // namespace farboot
