// An agent's proof of readiness, and whether to believe it.
#pragma once

#include <optional>
#include <string_view>

#include "common/content/ready_proof.h"
#include "controller/fleet/report.h"

namespace farboot {

/// The report's proof, if it is the agent's own: signed by the key that was enrolled, of which
/// `public_key_pem` is the public half, and naming the agent. What it claims of the release is for
/// the caller to compare.
std::optional<ReadyProof> own_proof(const AgentReport& report, std::string_view public_key_pem);

}  // namespace farboot
