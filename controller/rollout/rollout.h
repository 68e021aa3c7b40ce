// A rollout as data: which sites get which release, in which order, and how far each is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

inline constexpr std::size_t kWavesMax = 100;
inline constexpr std::size_t kSelectorsMax = 100;

enum class RolloutState : std::uint8_t {  // on disk by name
  running,
  paused,
  stopped,  ///< more failures than the policy allows
  aborted,
  done
};

enum class TargetState : std::uint8_t {  // on disk by name
  pending,
  staging,     ///< ordered to hold the release
  ready,       ///< has proved that it does
  activating,  ///< ordered to serve it
  active,
  failed,
  skipped,
  returning,  ///< ordered back to what it served before
  returned
};

enum class OfflinePolicy : std::uint8_t {
  skip,
  wait
};
enum class FailurePolicy : std::uint8_t {
  hold,
  back  ///< sites that activated go back to what they served before
};

struct RolloutPolicy {
  std::uint32_t sites_at_once_max = 10;
  std::uint32_t failures_max = 0;  ///< one more stops the rollout
  OfflinePolicy offline = OfflinePolicy::skip;
  FailurePolicy on_failure = FailurePolicy::hold;
  Seconds offline_grace{600};
  Seconds stall{1800};       ///< no byte of progress while staging
  Seconds activate{600};     ///< ordered but not active
  Seconds error_grace{600};  ///< an agent keeps reporting an error
  bool operator==(const RolloutPolicy&) const = default;
};

struct RolloutWave {
  std::string name;
  std::vector<std::string> selectors;
  Seconds soak{0};                   ///< after its last site, before the next wave
  std::optional<WallTime> finished;  ///< its last site came to an end then
  bool operator==(const RolloutWave&) const = default;
};

struct RolloutTarget {
  std::string site;
  std::uint32_t wave = 0;
  TargetState state = TargetState::pending;
  WallTime since{};            ///< in this state since then
  std::string detail;          ///< why it failed, waits or was skipped
  std::optional<Digest> from;  ///< what it was to serve before
  bool operator==(const RolloutTarget&) const = default;
};

struct Rollout {
  std::string id;  ///< `1`, `2`, …
  Digest release;
  std::uint64_t release_number = 0;
  RolloutState state = RolloutState::running;
  std::vector<RolloutWave> waves;      ///< one at least
  std::uint32_t wave = 0;              ///< under way
  std::vector<RolloutTarget> targets;  ///< frozen at start, in wave order
  RolloutPolicy policy;
  std::string comment, started_by, reason;
  WallTime started{};
  std::optional<WallTime> finished;  ///< nothing of it is under way any more
  bool operator==(const Rollout&) const = default;
};

/// The words of the wire, the CLI and the disk.
std::string_view to_string(RolloutState state);
std::string_view to_string(TargetState state);

/// Ordered to do something and not known to have done it.
constexpr bool under_way(TargetState state) {
  return state == TargetState::staging || state == TargetState::ready ||
         state == TargetState::activating || state == TargetState::returning;
}
constexpr bool ended(TargetState state) {
  return state != TargetState::pending && !under_way(state);
}

std::string encode_rollout(const Rollout& rollout);
Result<Rollout> decode_rollout(std::string_view record);

}  // namespace farboot
