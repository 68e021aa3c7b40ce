// Which sites a wave takes: `all`, `site=NAME`, `LABEL=VALUE`, `25%`. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "controller/fleet/site.h"
#include "controller/rollout/rollout.h"

namespace farboot {

/// Every site of `sites` that the waves take, in wave order, then by name; a site counts in the
/// first wave that takes it. Errors: invalid (a selector is malformed, or takes no site: the text
/// says which), not_found (`site=NAME` does not exist).
Result<std::vector<RolloutTarget>> select_targets(const std::vector<RolloutWave>& waves,
                                                  const std::vector<Site>& sites);

}  // namespace farboot
