#include "controller/rollout/runner.h"

#include "common/base/log.h"

namespace farboot {
namespace {

constexpr Milliseconds kTick{1000};            ///< while a rollout is under way
constexpr Milliseconds kIdleTick{10'000};      ///< otherwise; anything that happens wakes it anyway
constexpr Milliseconds kReportsFlush{30'000};  ///< agents' reports are written this often
constexpr Milliseconds kGather{200};  ///< reports that come together are looked at together

void log_changes(const Rollout& before, const Rollout& after) {
  for (std::size_t i = 0; i < after.targets.size() && i < before.targets.size(); ++i) {
    const RolloutTarget& target = after.targets[i];
    if (target.state == before.targets[i].state) continue;
    const auto level = target.state == TargetState::failed ? log::Level::warn : log::Level::info;
    log::write(level, "rollout.site",
               {log::kv("rollout", after.id), log::kv("release", after.release_number),
                log::kv("site", target.site), log::kv("state", to_string(target.state)),
                log::kv("detail", target.detail)});
  }
  if (after.state != before.state || (after.finished && !before.finished))
    log::info("rollout.state", log::kv("rollout", after.id),
              log::kv("state", to_string(after.state)),
              log::kv("finished", after.finished.has_value()), log::kv("reason", after.reason));
}

}  // namespace

void RolloutRunner::start() {
  stopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void RolloutRunner::stop() {
  stopping_ = true;
  fleet_.changed().notify();
  if (thread_.joinable()) thread_.join();
}

void RolloutRunner::run() {
  std::uint64_t seen = 0;
  SteadyTime flushed = clock_.steady();
  while (!stopping_) {
    const auto open = run_once();
    if (!open) log::error("rollout.stuck", log::kv("error", open.error().what));
    static_cast<void>(fleet_.settle_orders());  // logged there, tried again with the next look
    if (clock_.steady() - flushed >= kReportsFlush) {
      const auto done = fleet_.reports().flush();
      if (!done) log::warn("fleet.reports_not_kept", log::kv("error", done.error().what));
      flushed = clock_.steady();
    }
    const bool busy = !open || *open > 0;
    const std::uint64_t count = fleet_.changed().wait_past(seen, busy ? kTick : kIdleTick);
    // A fleet that reports all the time must not make this a busy loop.
    if (count > seen && !stopping_) seen = fleet_.changed().wait_past(count + 1'000'000, kGather);
    seen = std::max(seen, count);
  }
  const auto done = fleet_.reports().flush();
  if (!done) log::warn("fleet.reports_not_kept", log::kv("error", done.error().what));
}

Result<std::size_t> RolloutRunner::run_once() {
  const auto open = rollouts_.unfinished();
  if (!open) return open.error();
  if (open->empty()) {
    memory_.clear();
    proofs_.clear();
    roots_.clear();
    return std::size_t{0};
  }
  std::optional<Error> first;
  for (const Rollouts::Stored& stored : *open) {
    const auto step = [&]() -> Result<void> {
      // Without it no site counts as ready, but all else goes on: above all an abort.
      const auto root = learn_root(stored.rollout.release);
      // Read anew for each: the one before may have given orders.
      const auto known = facts();
      if (!known) return known.error();
      const auto advanced = advance(stored, *known);
      if (!advanced) return advanced.error();
      if (!root) return root.error();
      return {};
    }();
    if (!step && !first) first = prefix(fmt::format("rollout {}", stored.rollout.id), step.error());
  }
  if (first) return *first;
  return open->size();
}

/// Computed once per release: it reads the manifests, not the files.
Result<void> RolloutRunner::learn_root(const Digest& release) {
  if (roots_.contains(release)) return {};
  const auto root = rollouts_.proof_root(release);
  if (!root) return root.error();
  roots_[release] = *root;
  return {};
}

std::optional<Digest> RolloutRunner::proved(const AgentRecord& agent, const AgentReport& report) {
  Proof& known = proofs_[agent.id];
  if (known.document != report.ready_proof || known.public_key_pem != agent.public_key_pem)
    known = {report.ready_proof, agent.public_key_pem, own_proof(report, agent.public_key_pem)};
  if (!known.proof) return std::nullopt;
  const auto root = roots_.find(known.proof->release);
  if (root == roots_.end() || root->second != known.proof->root) return std::nullopt;
  return known.proof->release;
}

Result<FleetFacts> RolloutRunner::facts() {
  FleetFacts out;
  const auto sites = fleet_.sites();
  if (!sites) return sites.error();
  for (const Site& site : *sites) {
    const auto desired = fleet_.desired(site.name);
    if (!desired) return desired.error();
    out[site.name].ordered = {.stage = desired->stage, .serve = desired->serve};
  }
  const auto agents = enrolment_.agents();
  if (!agents) return agents.error();
  for (const AgentRecord& agent : *agents) {
    const auto site = out.find(agent.site);
    if (agent.revoked || site == out.end()) continue;
    AgentFacts fact;
    if (const auto status = fleet_.reports().agent(agent.id)) {
      fact.online = status->online;
      fact.active = status->report.active;
      fact.staged = status->report.staged;
      fact.proved = proved(agent, status->report);
      fact.release = status->report.release;
      fact.bytes_done = status->report.bytes_done;
      // Reading a release back takes a slow disk an hour: that is progress too.
      if (status->report.step == TransferStep::ready) fact.bytes_done += status->report.bytes_total;
      fact.error = status->report.error;
    }
    site->second.agents.push_back(std::move(fact));
  }
  return out;
}

/// True if something was stored.
Result<bool> RolloutRunner::advance(const Rollouts::Stored& stored, const FleetFacts& facts) {
  const Step step = plan(stored.rollout, facts, memory_[stored.rollout.id],
                         {.wall = clock_.wall(), .steady = clock_.steady()});
  if (step.rollout == stored.rollout && step.orders.empty()) return false;
  Transaction transaction;
  const std::string key = rollout_key(stored.rollout.id);
  transaction.expect(key, stored.revision).put(key, encode_rollout(step.rollout));
  for (const SiteOrder& order : step.orders) {
    const auto ordered = fleet_.order_releases(transaction, order.site, order.releases);
    // Removed this moment: the next look sees that.
    if (!ordered && ordered.error().code == Errc::not_found) return false;
    if (!ordered) return ordered.error();
  }
  const auto done = state_.commit(transaction);
  if (!done && done.error().code == Errc::conflict) {
    fleet_.changed().notify();  // look again at once
    return false;
  }
  if (!done) return done.error();
  log_changes(stored.rollout, step.rollout);
  if (step.rollout.finished) memory_.erase(stored.rollout.id);
  fleet_.changed().notify();
  return true;
}

}  // namespace farboot
