// `farboot-agent store rebuild`: the index of the content made anew from the pack files.
#pragma once

#include <string>

#include "agent/config.h"
#include "common/base/result.h"

namespace farboot {

/// Reads all packs of the state folder, as the user it belongs to (run by root, this process stays
/// that user). Returns what was found and what to do next, for people. Errors: conflict (the agent
/// runs), not_found (no packs there), corrupt and others (the database cannot be opened or read;
/// the text says the way out), denied, exhausted, unavailable. Can be interrupted and repeated.
Result<std::string> rebuild_store(const AgentConfig& config);

}  // namespace farboot
