#include "controller/rollout/rollout.h"

#include <algorithm>
#include <array>

#include "controller/state/json.h"

namespace farboot {
namespace {

constexpr unsigned kFormat = 1;  // on disk: never reuse a number

constexpr std::array kRolloutStates{RolloutState::running, RolloutState::paused,
                                    RolloutState::stopped, RolloutState::aborted,
                                    RolloutState::done};
constexpr std::array kTargetStates{
    TargetState::pending,    TargetState::staging,   TargetState::ready,
    TargetState::activating, TargetState::active,    TargetState::failed,
    TargetState::skipped,    TargetState::returning, TargetState::returned};

template <class States>
auto state_from(const States& states, std::string_view name)
    -> std::optional<typename States::value_type> {
  for (const auto state : states)
    if (to_string(state) == name) return state;
  return std::nullopt;
}

Json optional_time(const std::optional<WallTime>& time) {
  return time ? Json(to_json_time(*time)) : Json(nullptr);
}
std::optional<WallTime> optional_time_at(const Json& object, const char* key) {
  const WallTime time = time_at(object, key);
  return time == WallTime{} ? std::nullopt : std::optional(time);
}

Json policy_json(const RolloutPolicy& policy) {
  Json object;
  object["sites_at_once_max"] = policy.sites_at_once_max;
  object["failures_max"] = policy.failures_max;
  object["offline"] = policy.offline == OfflinePolicy::wait ? "wait" : "skip";
  object["on_failure"] = policy.on_failure == FailurePolicy::back ? "return" : "hold";
  object["offline_grace_seconds"] = policy.offline_grace.count();
  object["stall_seconds"] = policy.stall.count();
  object["activate_seconds"] = policy.activate.count();
  object["error_grace_seconds"] = policy.error_grace.count();
  return object;
}

/// Of a record that rotted none is longer than people live: sums of it do not overflow.
Seconds seconds_at(const Json& object, const char* key) {
  constexpr std::uint64_t kSecondsMax = 1ull << 32;
  return Seconds(std::min(number_at(object, key), kSecondsMax));
}

RolloutPolicy policy_from(const Json& object) {
  RolloutPolicy policy;
  policy.sites_at_once_max = static_cast<std::uint32_t>(number_at(object, "sites_at_once_max"));
  policy.failures_max = static_cast<std::uint32_t>(number_at(object, "failures_max"));
  policy.offline = text_at(object, "offline") == "wait" ? OfflinePolicy::wait : OfflinePolicy::skip;
  policy.on_failure =
      text_at(object, "on_failure") == "return" ? FailurePolicy::back : FailurePolicy::hold;
  policy.offline_grace = seconds_at(object, "offline_grace_seconds");
  policy.stall = seconds_at(object, "stall_seconds");
  policy.activate = seconds_at(object, "activate_seconds");
  policy.error_grace = seconds_at(object, "error_grace_seconds");
  return policy;
}

}  // namespace

std::string_view to_string(RolloutState state) {
  switch (state) {
    case RolloutState::running: return "running";
    case RolloutState::paused: return "paused";
    case RolloutState::stopped: return "stopped";
    case RolloutState::aborted: return "aborted";
    case RolloutState::done: return "done";
  }
  return "unknown";
}

std::string_view to_string(TargetState state) {
  switch (state) {
    case TargetState::pending: return "pending";
    case TargetState::staging: return "staging";
    case TargetState::ready: return "ready";
    case TargetState::activating: return "activating";
    case TargetState::active: return "active";
    case TargetState::failed: return "failed";
    case TargetState::skipped: return "skipped";
    case TargetState::returning: return "returning";
    case TargetState::returned: return "returned";
  }
  return "unknown";
}

std::string encode_rollout(const Rollout& rollout) {
  Json object;
  object["id"] = rollout.id;
  object["release"] = rollout.release.hex();
  object["release_number"] = rollout.release_number;
  object["state"] = to_string(rollout.state);
  object["wave"] = rollout.wave;
  object["policy"] = policy_json(rollout.policy);
  object["comment"] = rollout.comment;
  object["started_by"] = rollout.started_by;
  object["reason"] = rollout.reason;
  object["started"] = to_json_time(rollout.started);
  object["finished"] = optional_time(rollout.finished);
  object["waves"] = Json::array();
  for (const RolloutWave& wave : rollout.waves) {
    Json item;
    item["name"] = wave.name;
    item["selectors"] = wave.selectors;
    item["soak_seconds"] = wave.soak.count();
    item["finished"] = optional_time(wave.finished);
    object["waves"].push_back(std::move(item));
  }
  object["targets"] = Json::array();
  for (const RolloutTarget& target : rollout.targets) {
    Json item;
    item["site"] = target.site;
    item["wave"] = target.wave;
    item["state"] = to_string(target.state);
    item["since"] = to_json_time(target.since);
    item["detail"] = target.detail;
    item["from"] = to_json_digest(target.from);
    object["targets"].push_back(std::move(item));
  }
  return write_record(std::move(object), kFormat);
}

Result<Rollout> decode_rollout(std::string_view record) {
  const auto object = read_record("rollout", record, kFormat);
  if (!object) return object.error();
  Rollout rollout;
  rollout.id = text_at(*object, "id");
  const auto release = digest_at(*object, "release");
  const auto state = state_from(kRolloutStates, text_at(*object, "state"));
  if (!release || !state || rollout.id.empty())
    return fail(Errc::corrupt, "rollout {}: the stored record lacks its release or state",
                rollout.id);
  rollout.release = *release;
  rollout.state = *state;
  rollout.release_number = number_at(*object, "release_number");
  rollout.wave = static_cast<std::uint32_t>(number_at(*object, "wave"));
  const auto policy = object->object.find("policy");
  if (policy != object->object.end()) rollout.policy = policy_from(*policy);
  rollout.comment = text_at(*object, "comment");
  rollout.started_by = text_at(*object, "started_by");
  rollout.reason = text_at(*object, "reason");
  rollout.started = time_at(*object, "started");
  rollout.finished = optional_time_at(*object, "finished");
  for (const Json& item : array_at(*object, "waves"))
    rollout.waves.push_back({text_at(item, "name"), list_at(item, "selectors"),
                             seconds_at(item, "soak_seconds"), optional_time_at(item, "finished")});
  for (const Json& item : array_at(*object, "targets")) {
    const auto target_state = state_from(kTargetStates, text_at(item, "state"));
    if (!target_state)
      return fail(Errc::corrupt, "rollout {}: a stored target has no state", rollout.id);
    rollout.targets.push_back(
        {text_at(item, "site"), static_cast<std::uint32_t>(number_at(item, "wave")), *target_state,
         time_at(item, "since"), text_at(item, "detail"), digest_at(item, "from")});
  }
  if (rollout.waves.empty() || rollout.wave >= rollout.waves.size())
    return fail(Errc::corrupt, "rollout {}: the stored record has no such wave", rollout.id);
  return rollout;
}

}  // namespace farboot
