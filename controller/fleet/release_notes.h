// What a release cannot do although it holds together: for the eyes of whoever applies it. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/content/release.h"
#include "controller/fleet/report_book.h"

namespace farboot {

/// What Report of link.proto calls it: the agent obeys `boot` and `files` of entries.
inline constexpr const char* kAbilityBootFiles = "boot-files";

/// A sentence each: images that start nothing, and agents of an older version that would overlook
/// part of an entry. Of agents that have never reported nothing is known.
std::vector<std::string> release_notes(const Release& release,
                                       const std::vector<AgentStatus>& agents);

}  // namespace farboot
