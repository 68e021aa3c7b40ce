// From a fleet directory that was found good to what the controller is sent.
#pragma once

#include <functional>
#include <string>

#include "common/base/result.h"
#include "controller/cli/fleet_directory.h"
#include "farboot/v1/fleet.pb.h"

namespace farboot {

/// Hands out the fleet in parts that each fit a message: first what it says, with the digests of
/// its assets, then, if `pieces` says so, the assets' bytes. All but the last announce that more
/// follows, so that what is lost on the way is missed. `send` says false when nobody listens any
/// more. Errors: what reading an asset says; mismatch (a file changed meanwhile).
enum class Pieces {
  leave_out,
  send
};
Result<void> send_fleet(const FleetDirectory& fleet, const std::string& comment, Pieces pieces,
                        const std::function<bool(const v1::FleetSpec&)>& send);

}  // namespace farboot
