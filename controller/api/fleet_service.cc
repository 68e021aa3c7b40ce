#include "controller/api/fleet_service.h"

#include <exception>
#include <utility>

#include "common/base/log.h"
#include "common/rpc/status_map.h"
#include "controller/api/handlers.h"

namespace farboot {

FleetService::FleetService(Parts parts) : handlers_(std::make_unique<Handlers>(std::move(parts))) {}
FleetService::~FleetService() = default;
grpc::Service& FleetService::service() { return *handlers_; }
void FleetService::stop() { handlers_->stop(); }

FleetService::Handlers::Handlers(Parts parts)
    : parts_(std::move(parts)),
      started_(parts_.clock.wall()),
      sweeper_(parts_.content, parts_.images, parts_.releases,
               [this] { return parts_.rollouts.live_releases(); }),
      applier_({parts_.state, parts_.content, parts_.images, parts_.releases, parts_.fleet,
                parts_.clock}) {}

Result<PeerIdentity> FleetService::Handlers::let_in(const Context& context, std::string_view call,
                                                    Role least) {
  const auto denied = [&](const Error& error) {
    const auto left_out =
        denied_lines_.with([&](LogLimit& lines) { return lines.take(parts_.clock.steady()); });
    if (left_out)
      log::warn("api.denied", log::kv("call", call), log::kv("peer", context.peer()),
                log::kv("error", error.what), log::kv("left_out", *left_out));
    return error;
  };
  const auto somebody = require_operator(context, Role::viewer);
  if (!somebody) return denied(somebody.error());
  const auto admitted = parts_.operators.admit(*somebody);
  if (!admitted) return admitted.error();
  auto caller = require_operator(context, least);
  if (!caller) return denied(caller.error());
  return caller;
}

grpc::Status FleetService::Handlers::answer(
    Context* context, std::string_view call, Role least, Kind kind,
    const std::function<Result<void>(const PeerIdentity&)>& handle) {
  const auto caller = let_in(*context, call, least);
  if (!caller) return to_grpc(caller.error());
  try {
    const auto done = handle(*caller);
    if (kind == Kind::change)
      log::info("api.change", log::kv("call", call), log::kv("operator", caller->name),
                log::kv("result", done ? "ok" : to_string(done.error().code)));
    return done ? grpc::Status::OK : to_grpc(done.error());
  } catch (const std::exception& error) {
    log::error("api.failed", log::kv("call", call), log::kv("error", error.what()));
    return to_grpc(fail(Errc::internal, "{}: {}", call, error.what()));
  }
}

}  // namespace farboot
