// Whether a fleet directory holds together: names that are named, machines that are told apart,
// templates whose every variable is defined. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/cli/findings.h"
#include "controller/cli/fleet_directory.h"

namespace farboot {

/// An image the controller has.
struct KnownImage {
  std::string name, tag, version, family;
};

/// What the controller has. nullopt: it could not be asked, and what depends on it is not judged.
struct KnownContent {
  std::optional<std::vector<KnownImage>> images;
  std::optional<std::vector<std::string>> loaders;  ///< paths; none before the first import
};

/// Everything below. MACs, UUIDs and image names are put into their full, normal form on the way.
void check_fleet(FleetDirectory& fleet, const KnownContent& known, Findings& findings);

/// entry_check.cc
void check_entries(FleetDirectory& fleet, const KnownContent& known, Findings& findings);
/// menu_check.cc
void check_menu(const FleetDirectory& fleet, Findings& findings);
/// A hot key, and that nobody else in `seen` has it.
void check_menu_key(const std::string& key, const Place& place, std::map<std::string, Place>& seen,
                    Findings& findings);
/// Menus of the operator's own, from the template that every machine gets.
struct MenuReach {
  std::set<std::string> menus;                                   ///< it leads there
  std::set<std::pair<Place, std::string>> no_menus, no_entries;  ///< names that are none
};
/// menu_reach.cc
MenuReach reach_menus(const FleetDirectory& fleet);
void check_menu_links(const FleetDirectory& fleet, Findings& findings);
void check_hosts(FleetDirectory& fleet, Findings& findings);
/// variable_check.cc: what agents read themselves.
void check_variables(const FleetDirectory& fleet, const KnownContent& known, Findings& findings);
void check_unused(const FleetDirectory& fleet, Findings& findings);
/// template_check.cc: every variable defined wherever the template is used.
void check_templates(const FleetDirectory& fleet, Findings& findings);
/// kickstart_lint.cc: what is legal but bites. Warnings only.
void lint_kickstarts(const FleetDirectory& fleet,
                     const std::optional<std::vector<KnownImage>>& images, Findings& findings);

}  // namespace farboot
