// A fleet directory, read: every value with the place it stands at, so that whatever is wrong later
// can be named by file and line.
//
//   fleet.yaml   sites/NAME.yaml   kickstarts/NAME.ks   menus/NAME.ipxe   snippets/NAME   assets/…
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/content/release.h"
#include "controller/cli/findings.h"
#include "controller/cli/yaml.h"

namespace farboot {

inline constexpr std::size_t kFleetFilesMax = 50'000;
inline constexpr std::uintmax_t kAssetsBytesMax = 64u << 20;  ///< all together, as the controller

struct FleetVariables {
  Variables values;
  std::map<std::string, Place> places;
};

/// Of one file: a source for each platform.
struct FleetSources {
  FileSources values;
  std::map<std::string, Place> places;
};

struct FleetEntry {
  BootEntry entry;
  bool kind_known = true;  ///< false: reported already, do not judge the rest by it
  Place place, kind, image, kickstart, args, args_style, key;
  FleetVariables variables;
  FleetSources boot;
  std::map<std::string, FleetSources> files;  ///< by name in the machine
};

/// Where a line of a menu stands, and the lines of the menu it is.
struct MenuPlaces {
  Place place, key;
  std::vector<MenuPlaces> items;
};

struct FleetMenu {
  Menu menu;
  bool entries_written = false;  ///< false: all entries, in the order of the file
  Place place, title, timeout, default_entry, picture, template_name;
  std::vector<MenuPlaces> entries;  ///< of menu.entries
};

struct FleetHost {
  HostSpec host;
  bool install = false;
  Place place, entry, uuid, serial, install_place;
  std::vector<Place> macs;  ///< of host.macs
  FleetVariables variables;
};

struct FleetSite {
  std::string name;
  Place place;
  Variables labels;
  SiteLimits limits;
  std::vector<FleetHost> hosts;
  FleetVariables variables;
};

struct FleetText {
  std::string text;
  std::string file;  ///< relative to the directory
};

struct FleetAsset {
  std::filesystem::path path;  ///< on this machine
  std::uintmax_t size_bytes = 0;
};

struct FleetDirectory {
  FleetVariables variables;
  FleetMenu menu;
  std::vector<FleetEntry> entries;  ///< in file order
  std::map<std::string, FleetText> kickstarts, menus, snippets;
  std::map<std::string, FleetAsset> assets;  ///< by tree path
  std::vector<FleetSite> sites;              ///< by name

  const FleetEntry* entry(std::string_view name) const;
  std::vector<std::string> entry_names() const;
};

/// Reads everything; what cannot be read or has the wrong shape goes to `findings` and is left out.
FleetDirectory read_fleet(const std::filesystem::path& folder, Findings& findings);

/// The two kinds of YAML file. `file` names them in findings.
void read_fleet_yaml(const YamlNode& root, const std::string& file, FleetDirectory& fleet,
                     Findings& findings);
FleetSite read_site_yaml(const YamlNode& root, const std::string& name, const std::string& file,
                         Findings& findings);

}  // namespace farboot
