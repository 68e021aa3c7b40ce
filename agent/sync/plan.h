// What to do next, decided from what should be and what is. Pure.
#pragma once

#include <optional>
#include <set>

#include "common/content/desired_state.h"
#include "common/content/digest.h"

namespace farboot {

/// What this site holds.
struct Held {
  std::optional<Digest> active, previous, staged;
  std::set<Digest> proven;      ///< releases with a ready proof
  bool active_damaged = false;  ///< some of its chunks may be missing
  bool previous_damaged = false;
};

struct Action {
  enum class Kind {
    rest,      ///< all is as it should be
    heal,      ///< fetch what `release`, which is or was served, lacks
    transfer,  ///< fetch, verify and prove `release`
    activate,  ///< serve `release`, which is staged
  };
  Kind kind = Kind::rest;
  Digest release;
  bool operator==(const Action&) const = default;
};

/// What clients get now comes first, then what those get that began before the last swap, then what
/// they should get, then what they may get later.
Action next_action(const DesiredState& desired, const Held& held);

}  // namespace farboot
