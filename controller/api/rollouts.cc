#include <algorithm>

#include "controller/api/handlers.h"

namespace farboot {
namespace {

constexpr Milliseconds kWatchTick{1000};     ///< a look at least this often
constexpr Milliseconds kWatchInterval{250};  ///< and at most this often

class Watcher {
 public:
  explicit Watcher(std::atomic<unsigned>& count) : count_(count), number_(++count) {}
  ~Watcher() { --count_; }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  bool too_many() const { return number_ > kWatchersMax; }

 private:
  std::atomic<unsigned>& count_;
  unsigned number_;
};

/// True if `a` has less of the release than `b`.
bool slower(const AgentReport& a, const AgentReport& b) {
  const auto share = [](const AgentReport& report) {
    return report.bytes_total == 0
               ? 0.0
               : static_cast<double>(report.bytes_done) / static_cast<double>(report.bytes_total);
  };
  return share(a) < share(b);
}

}  // namespace

/// With the progress of each site's slowest agent.
Result<v1::Rollout> FleetService::Handlers::rollout_record(const Rollout& rollout) const {
  const auto numbers = parts_.releases.numbers();
  if (!numbers) return numbers.error();
  v1::Rollout out = to_proto(rollout, *numbers);
  std::map<std::string, AgentReport> slowest;
  for (const AgentStatus& agent : parts_.fleet.reports().agents()) {
    if (!agent.online || agent.report.release != rollout.release) continue;
    const auto [known, fresh] = slowest.emplace(agent.report.site, agent.report);
    if (!fresh && slower(agent.report, known->second)) known->second = agent.report;
  }
  for (v1::RolloutTarget& target : *out.mutable_targets()) {
    const auto found = slowest.find(target.site());
    if (found != slowest.end()) *target.mutable_transfer() = to_progress(found->second, *numbers);
  }
  return out;
}

grpc::Status FleetService::Handlers::StartRollout(Context* context,
                                                  const v1::StartRolloutRequest* request,
                                                  v1::Rollout* out) {
  return answer(context, "StartRollout", Role::operate, Kind::change,
                [&](const PeerIdentity& caller) -> Result<void> {
                  const auto wish = from_proto(*request, caller.name);
                  if (!wish) return wish.error();
                  // Nothing the release names may be swept between the look and the commit.
                  const Sweeper::Writing writing(sweeper_);
                  const auto rollout = parts_.rollouts.start(*wish);
                  if (!rollout) return rollout.error();
                  auto record = rollout_record(*rollout);
                  if (!record) return record.error();
                  *out = std::move(*record);
                  return {};
                });
}

grpc::Status FleetService::Handlers::GetRollout(Context* context,
                                                const v1::GetRolloutRequest* request,
                                                v1::Rollout* out) {
  return answer(context, "GetRollout", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto rollout = parts_.rollouts.find(request->id());
                  if (!rollout) return rollout.error();
                  auto record = rollout_record(*rollout);
                  if (!record) return record.error();
                  *out = std::move(*record);
                  return {};
                });
}

grpc::Status FleetService::Handlers::ListRollouts(Context* context, const v1::ListRolloutsRequest*,
                                                  v1::ListRolloutsResponse* out) {
  return answer(context, "ListRollouts", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto rollouts = parts_.rollouts.rollouts();
                  if (!rollouts) return rollouts.error();
                  for (const Rollout& rollout : *rollouts) {
                    v1::Rollout& made = *out->add_rollouts();
                    made = to_proto(rollout, {});
                    made.clear_targets();
                  }
                  return {};
                });
}

grpc::Status FleetService::Handlers::WatchRollout(Context* context,
                                                  const v1::GetRolloutRequest* request,
                                                  grpc::ServerWriter<v1::Rollout>* writer) {
  return answer(context, "WatchRollout", Role::viewer, Kind::look,
                [&](const PeerIdentity& caller) -> Result<void> {
                  const Watcher watcher(watchers_);
                  if (watcher.too_many())
                    return fail(Errc::exhausted, "{} rollouts are watched already", kWatchersMax);
                  auto rollout = parts_.rollouts.find(request->id());
                  if (!rollout) return rollout.error();
                  const std::string id = rollout->id;
                  std::string sent;
                  std::uint64_t seen = 0;
                  while (true) {
                    auto record = rollout_record(*rollout);
                    if (!record) return record.error();
                    std::string bytes = record->SerializeAsString();
                    if (bytes != sent) {
                      if (!writer->Write(*record))
                        return fail(Errc::cancelled, "the caller went away");
                      sent = std::move(bytes);
                    }
                    if (rollout->finished) return {};
                    seen = parts_.fleet.changed().wait_past(seen, kWatchTick);
                    // What happens together is shown together.
                    seen = parts_.fleet.changed().wait_past(seen + 1'000'000, kWatchInterval);
                    if (stopping_)
                      return fail(Errc::unavailable, "the controller is being stopped");
                    if (context->IsCancelled())
                      return fail(Errc::cancelled, "the caller went away");
                    // A watch may last for days.
                    const auto admitted = parts_.operators.admit(caller);
                    if (!admitted) return admitted.error();
                    rollout = parts_.rollouts.find(id);
                    if (!rollout) return rollout.error();
                  }
                });
}

grpc::Status FleetService::Handlers::PauseRollout(Context* context,
                                                  const v1::ChangeRolloutRequest* request,
                                                  v1::Rollout* out) {
  return answer(context, "PauseRollout", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto rollout = parts_.rollouts.pause(request->id(), request->reason());
                  if (!rollout) return rollout.error();
                  *out = to_proto(*rollout, {});
                  return {};
                });
}

grpc::Status FleetService::Handlers::ResumeRollout(Context* context,
                                                   const v1::ChangeRolloutRequest* request,
                                                   v1::Rollout* out) {
  return answer(context, "ResumeRollout", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto rollout = parts_.rollouts.resume(request->id(), request->reason());
                  if (!rollout) return rollout.error();
                  *out = to_proto(*rollout, {});
                  return {};
                });
}

grpc::Status FleetService::Handlers::AbortRollout(Context* context,
                                                  const v1::ChangeRolloutRequest* request,
                                                  v1::Rollout* out) {
  return answer(context, "AbortRollout", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto rollout = parts_.rollouts.abort(request->id(), request->reason());
                  if (!rollout) return rollout.error();
                  *out = to_proto(*rollout, {});
                  return {};
                });
}

}  // namespace farboot
