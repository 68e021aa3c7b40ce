#include "agent/sync/plan.h"

namespace farboot {

Action next_action(const DesiredState& desired, const Held& held) {
  if (held.active && held.active_damaged) return {Action::Kind::heal, *held.active};
  if (held.previous && held.previous_damaged) return {Action::Kind::heal, *held.previous};
  if (desired.serve && held.active != desired.serve) {
    const bool staged = held.staged == desired.serve && held.proven.contains(*desired.serve);
    return {staged ? Action::Kind::activate : Action::Kind::transfer, *desired.serve};
  }
  if (desired.stage) {
    const bool here = held.active == desired.stage || held.staged == desired.stage;
    if (!here || !held.proven.contains(*desired.stage))
      return {Action::Kind::transfer, *desired.stage};
  }
  return {};
}

}  // namespace farboot
