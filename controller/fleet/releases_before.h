// Releases a site was to have before those it is to have now. Machines may still be installed from
// them, so the site's agents may fetch again what rots of them. `desired-before/<site>`: hex
// digests, newest first, one a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/content/digest.h"
#include "common/store/state_store.h"

namespace farboot {

/// An agent keeps one; who goes forth and back in a hurry names a few more.
inline constexpr std::size_t kReleasesBeforeMax = 8;

/// Newest first. Blocks. Errors: unavailable, corrupt (of the store).
Result<std::vector<Digest>> releases_before(const StateStore& state, std::string_view site);
/// Adds to `transaction`, which replaces `before`, that the site was to have its releases. Blocks.
Result<void> remember_releases(const StateStore& state, Transaction& transaction,
                               const DesiredState& before);

}  // namespace farboot
