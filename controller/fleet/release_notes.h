// What a fleet cannot do although it holds together: for the eyes of whoever applies it. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/content/release.h"
#include "controller/fleet/report_book.h"
#include "controller/fleet/site.h"

namespace farboot {

/// What Report of link.proto calls it: the agent obeys `boot` and `files` of entries.
inline constexpr const char* kAbilityBootFiles = "boot-files";
/// Likewise: `{{menu.url}}` and `{{entry.url}}` in menus of the operator's own.
inline constexpr const char* kAbilityMenuLinks = "menu-links";
/// Likewise: `shim`, `grub` and `ipxe` in the variable `loader`.
inline constexpr const char* kAbilityLoaderFamilies = "loader-families";

/// A sentence each: images that start nothing; agents of an older version, with their site, and
/// what of the release, of their site (of `sites`) and of its hosts they would overlook. Of agents
/// that have never reported nothing is known.
std::vector<std::string> release_notes(const Release& release, const std::vector<Site>& sites,
                                       const std::vector<AgentStatus>& agents);

}  // namespace farboot
