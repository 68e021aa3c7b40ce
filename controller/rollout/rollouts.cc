#include "controller/rollout/rollouts.h"

#include <algorithm>
#include <charconv>

#include "common/base/log.h"
#include "common/content/ready_proof.h"
#include "common/store/release_closure.h"
#include "controller/rollout/selector.h"

namespace farboot {
namespace {

constexpr std::string_view kPrefix = "rollout/";
constexpr Seconds kPolicyTimeMax{30 * 24 * 3600};

std::optional<std::uint64_t> id_number(std::string_view id) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (id.empty() || error != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return number;
}

Result<void> check_wish(const RolloutWish& wish) {
  if (wish.waves.empty())
    return fail(Errc::invalid, "the rollout takes no site: say --site NAME or --all");
  if (wish.waves.size() > kWavesMax)
    return fail(Errc::invalid, "{} waves, at most {} are possible", wish.waves.size(), kWavesMax);
  for (const RolloutWave& wave : wish.waves)
    if (wave.selectors.empty() || wave.selectors.size() > kSelectorsMax)
      return fail(Errc::invalid, "wave {}: {} selectors, want 1 to {}", wave.name,
                  wave.selectors.size(), kSelectorsMax);
  const RolloutPolicy& policy = wish.policy;
  if (policy.sites_at_once_max < 1)
    return fail(Errc::invalid, "policy: sites at once: want at least 1");
  for (const Seconds time :
       {policy.offline_grace, policy.stall, policy.activate, policy.error_grace})
    if (time < Seconds(1) || time > kPolicyTimeMax)
      return fail(Errc::invalid, "policy: {} s: want 1 to {}", time.count(),
                  kPolicyTimeMax.count());
  return {};
}

Result<Rollout> read(const StateEntry& entry) { return decode_rollout(entry.value); }

}  // namespace

std::string rollout_key(std::string_view id) { return fmt::format("{}{:0>10}", kPrefix, id); }

Result<std::vector<Rollout>> Rollouts::rollouts() const {
  const auto entries = parts_.state.scan(kPrefix);
  if (!entries) return entries.error();
  std::vector<Rollout> out;
  for (auto entry = entries->rbegin(); entry != entries->rend(); ++entry) {
    auto rollout = read(*entry);
    if (!rollout) return rollout.error();
    out.push_back(std::move(*rollout));
  }
  return out;
}

Result<std::vector<Rollouts::Stored>> Rollouts::unfinished() const {
  const auto entries = parts_.state.scan(kPrefix);
  if (!entries) return entries.error();
  std::vector<Stored> out;
  for (const StateEntry& entry : *entries) {
    auto rollout = read(entry);
    if (!rollout) return rollout.error();
    if (!rollout->finished) out.push_back({std::move(*rollout), entry.revision});
  }
  return out;
}

Result<Rollout> Rollouts::find(std::string_view id) const {
  if (id.empty()) {
    auto all = rollouts();
    if (!all) return all.error();
    if (all->empty())
      return fail(Errc::not_found, "there is no rollout yet; `farboot rollout start r<N> --all`");
    return std::move(all->front());
  }
  if (!id_number(id)) return fail(Errc::invalid, "rollout {}: want a number", printable(id));
  const auto entry = parts_.state.get(rollout_key(id));
  if (!entry) return entry.error();
  if (!*entry) return fail(Errc::not_found, "rollout {}: does not exist", id);
  return read(**entry);
}

Result<void> Rollouts::check_free(const std::vector<RolloutTarget>& targets,
                                  const std::vector<Rollout>& rollouts) {
  for (const Rollout& other : rollouts) {
    if (other.finished) continue;
    for (const RolloutTarget& theirs : other.targets)
      for (const RolloutTarget& ours : targets)
        if (theirs.site == ours.site)
          return fail(
              Errc::conflict,
              "site {}: rollout {} of r{} has it and is {}; wait, or `farboot rollout abort "
              "{}`",
              ours.site, other.id, other.release_number, to_string(other.state), other.id);
  }
  return {};
}

/// Everything the release names is here, and stays here once `transaction` is through.
Result<void> Rollouts::check_held(const StoredRelease& release, Transaction& transaction) const {
  for (const Image& image : release.release.images) {
    const auto record = parts_.images.find(image.name + "@" + image.tag);
    if (!record || record->image.manifest != image.manifest)
      return fail(Errc::conflict,
                  "release r{}: image {}@{} was removed; import it again, or apply the fleet "
                  "directory for a release without it",
                  release.release.number, image.name, image.tag);
    ImageBook::touch(transaction, *record);
  }
  const auto closure = release_closure(parts_.content, release.release.manifests());
  if (!closure) return prefix(fmt::format("release r{}", release.release.number), closure.error());
  std::vector<Digest> ids;
  ids.reserve(closure->size());
  for (const ChunkRef& chunk : *closure) ids.push_back(chunk.id);
  const auto missing = parts_.content.missing(ids);
  if (!missing) return missing.error();
  if (!missing->empty())
    return fail(Errc::conflict, "release r{}: {} of its chunks are no longer here",
                release.release.number, missing->size());
  return {};
}

Result<Rollout> Rollouts::start(const RolloutWish& wish) {
  const auto good = check_wish(wish);
  if (!good) return good.error();
  const auto release = parts_.releases.find(wish.release);
  if (!release) return release.error();
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    const auto sites = parts_.fleet.sites();
    if (!sites) return sites.error();
    auto targets = select_targets(wish.waves, *sites);
    if (!targets) return targets.error();
    // Read once: whoever begins one after this gets the number that we expect to be free.
    const auto all = rollouts();
    if (!all) return all.error();
    const auto free = check_free(*targets, *all);
    if (!free) return free.error();
    Transaction transaction;
    const auto held = check_held(*release, transaction);
    if (!held) return held.error();
    Rollout rollout;
    rollout.id = fmt::to_string(all->empty() ? 1 : id_number(all->front().id).value_or(0) + 1);
    rollout.release = release->digest;
    rollout.release_number = release->release.number;
    rollout.waves = wish.waves;
    rollout.policy = wish.policy;
    rollout.comment = wish.comment;
    rollout.started_by = wish.started_by;
    rollout.started = parts_.clock.wall();
    for (RolloutTarget& target : *targets) {
      const auto desired = parts_.fleet.desired(target.site);
      if (!desired) return desired.error();
      target.from = desired->serve;
      target.since = rollout.started;
    }
    rollout.targets = std::move(*targets);
    // Two rollouts begun at once would get the same number: one of them looks again.
    const std::string key = rollout_key(rollout.id);
    const auto done =
        parts_.state.commit(transaction.expect(key, 0).put(key, encode_rollout(rollout)));
    if (done) {
      log::info("rollout.started", log::kv("rollout", rollout.id),
                log::kv("release", rollout.release_number),
                log::kv("sites", rollout.targets.size()), log::kv("by", rollout.started_by));
      parts_.fleet.changed().notify();
      return rollout;
    }
    if (done.error().code != Errc::conflict) return done.error();
  }
  return fail(Errc::conflict, "others keep changing the rollouts; try again");
}

/// `change(rollout)` alters it or says why not; stored, and tried again if it changed meanwhile.
template <class Change>
Result<Rollout> Rollouts::change(std::string_view id, Change change) {
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    auto open = unfinished();
    if (!open) return open.error();
    if (id.empty() && open->size() != 1)
      return fail(Errc::conflict, "{} rollouts have not ended: say which", open->size());
    const auto found = std::find_if(open->begin(), open->end(), [&](const Stored& stored) {
      return id.empty() || stored.rollout.id == id;
    });
    if (found == open->end()) {
      const auto ended = find(id);
      if (!ended) return ended.error();
      return fail(Errc::conflict, "rollout {}: has ended ({})", id, to_string(ended->state));
    }
    Rollout rollout = found->rollout;
    const Result<void> allowed = change(rollout);
    if (!allowed) return prefix(fmt::format("rollout {}", rollout.id), allowed.error());
    const std::string key = rollout_key(rollout.id);
    const auto done = parts_.state.commit(
        Transaction{}.expect(key, found->revision).put(key, encode_rollout(rollout)));
    if (done) {
      log::info("rollout.changed", log::kv("rollout", rollout.id),
                log::kv("state", to_string(rollout.state)), log::kv("reason", rollout.reason));
      parts_.fleet.changed().notify();
      return rollout;
    }
    if (done.error().code != Errc::conflict) return done.error();
  }
  return fail(Errc::conflict, "rollout {}: others keep changing it; try again", id);
}

Result<Rollout> Rollouts::pause(std::string_view id, const std::string& reason) {
  return change(id, [&](Rollout& rollout) -> Result<void> {
    if (rollout.state != RolloutState::running)
      return fail(Errc::conflict, "is {}, not running", to_string(rollout.state));
    rollout.state = RolloutState::paused;
    rollout.reason = reason;
    return {};
  });
}

Result<Rollout> Rollouts::resume(std::string_view id, const std::string& reason) {
  return change(id, [&](Rollout& rollout) -> Result<void> {
    if (rollout.state != RolloutState::paused)
      return fail(Errc::conflict, "is {}, not paused", to_string(rollout.state));
    rollout.state = RolloutState::running;
    rollout.reason = reason;
    return {};
  });
}

Result<Rollout> Rollouts::abort(std::string_view id, const std::string& reason) {
  return change(id, [&](Rollout& rollout) -> Result<void> {
    if (rollout.state != RolloutState::running && rollout.state != RolloutState::paused)
      return fail(Errc::conflict, "is {} already", to_string(rollout.state));
    rollout.state = RolloutState::aborted;
    rollout.reason = reason;
    return {};
  });
}

Result<Digest> Rollouts::proof_root(const Digest& release) const {
  const auto stored = parts_.releases.find(release);
  if (!stored) return stored.error();
  const auto chunks = release_closure(parts_.content, stored->release.manifests());
  if (!chunks) return prefix(fmt::format("release r{}", stored->release.number), chunks.error());
  std::vector<Digest> ids;
  ids.reserve(chunks->size());
  for (const ChunkRef& chunk : *chunks) ids.push_back(chunk.id);
  return merkle_root(std::move(ids));
}

Result<std::set<Digest>> Rollouts::live_releases() const {
  std::set<Digest> out;
  const auto newest = parts_.releases.newest();
  if (!newest) return newest.error();
  if (*newest) out.insert((*newest)->digest);
  const auto sites = parts_.fleet.sites();
  if (!sites) return sites.error();
  for (const Site& site : *sites) {
    const auto desired = parts_.fleet.desired(site.name);
    if (!desired) return desired.error();
    if (desired->stage) out.insert(*desired->stage);
    if (desired->serve) out.insert(*desired->serve);
  }
  const auto open = unfinished();
  if (!open) return open.error();
  for (const Stored& stored : *open) {
    out.insert(stored.rollout.release);
    for (const RolloutTarget& target : stored.rollout.targets)
      if (target.from) out.insert(*target.from);
  }
  return out;
}

}  // namespace farboot
