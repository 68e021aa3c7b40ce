// What an agent's doctor has found, as the controller's rooms speak of it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace farboot {

struct AgentFinding {
  std::string check;
  std::string severity;  ///< ok, warn, fail
  std::string text;
  std::string advice;
  bool operator==(const AgentFinding&) const = default;
};

/// By agent. Errors: unavailable (not connected, or gone meanwhile and not back in time, or gone
/// each time it was asked, or revoked), timeout, cancelled, invalid (it answered what cannot be
/// taken).
using Diagnoses = std::map<std::string, Result<std::vector<AgentFinding>>>;

/// Examines these agents side by side; blocks until all have answered, or their time is up.
/// `given_up`: asked now and then; true ends it.
using Diagnose = std::function<Diagnoses(const std::vector<std::string>& agents,
                                         const std::function<bool()>& given_up)>;

}  // namespace farboot
