// From what was seen to what it means for machines that boot, and what to do about it. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "agent/doctor/finding.h"
#include "agent/doctor/observe.h"

namespace farboot::doctor {

/// The worst first, otherwise in the order of the table in judge.cc: one row for each kind of
/// finding. A row may say several things, or nothing. At most kFindingsMax, each text at most
/// kFindingTextMax long and free of control bytes.
std::vector<Finding> judge(const Observations& seen);

/// Every id that judge() can give.
std::vector<std::string_view> finding_ids();

}  // namespace farboot::doctor
