#include "agent/sync/sync.h"

#include <algorithm>

#include "agent/sync/ready.h"
#include "common/base/check.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kSweepKey = "sync/sweep";
constexpr std::string_view kStagedKey = "catalog/staged";
constexpr Milliseconds kRateSpan{2000};  // over which bytes per second are told

std::string ready_key(const Digest& release) { return "sync/ready/" + release.hex(); }

std::optional<Digest> digest_of(const std::shared_ptr<const SignedDocument>& document) {
  return document ? std::optional(document->digest()) : std::nullopt;
}

Sync::Outcome failed(Error error) { return {Sync::Outcome::Kind::failed, std::move(error)}; }

}  // namespace

Sync::Sync(SyncParts parts, SyncHooks hooks) : parts_(std::move(parts)), hooks_(std::move(hooks)) {}
Sync::~Sync() = default;

void Sync::wake() {
  if (hooks_.woken) hooks_.woken();
}

void Sync::stop() {
  shared_.with([](Shared& shared) { shared.stopped = true; });
  wake();
}

void Sync::damaged() {
  shared_.with([](Shared& shared) {
    ++shared.damage;
    ++shared.status.rotten_chunks;
  });
  if (hooks_.changed) hooks_.changed();
  wake();
}

std::uint64_t Sync::damage() const {
  return shared_.with([](const Shared& shared) { return shared.damage; });
}

/// Damage that was told of since `to` was looked up stays to be mended.
void Sync::mended(const Digest& release, std::uint64_t to) {
  shared_.with([&](Shared& shared) { shared.mended_to[release] = to; });
}

SyncStatus Sync::status() const {
  return shared_.with([](const Shared& shared) {
    SyncStatus status = shared.status;
    if (shared.unwritten.state) status.error = shared.unwritten_error;
    return status;
  });
}

bool Sync::wanted() { return still_wanted(); }

bool Sync::still_wanted() const {
  return shared_.with([](const Shared& shared) {
    if (shared.stopped) return false;
    if (!shared.working_on || !shared.desired) return true;
    return shared.desired->serve == shared.working_on ||
           shared.desired->stage == shared.working_on ||
           shared.status.active == shared.working_on ||
           (shared.healing && shared.status.previous == shared.working_on);
  });
}

std::uint64_t Sync::bytes_per_second() {
  return shared_.with([](const Shared& shared) {
    return shared.desired ? shared.desired->limits.wan_bytes_per_second : 0;
  });
}

void Sync::pause(Milliseconds time) {
  const SteadyTime until = parts_.clock.steady() + time;
  // A wake-up need not be for us.
  while (wanted()) {
    const auto left = std::chrono::ceil<Milliseconds>(until - parts_.clock.steady());
    if (left <= Milliseconds(0)) return;
    hooks_.pause(left);
  }
}

void Sync::at(SyncStep step, std::uint64_t bytes_done, std::uint64_t bytes_total) {
  shared_.with([&](Shared& shared) {
    shared.status.step = step;
    shared.status.bytes_done = bytes_done;
    shared.status.bytes_total = bytes_total;
  });
  if (step != last_step_) {
    last_step_ = step;
    const auto release = shared_.with([](const Shared& shared) { return shared.working_on; });
    constexpr std::string_view kWords[] = {"idle", "offer", "want", "chunk", "ready", "activate"};
    log::debug("sync.step", log::kv("step", kWords[static_cast<std::size_t>(step)]),
               log::kv("release", release ? release->short_hex() : "-"),
               log::kv("bytes_done", bytes_done), log::kv("bytes_total", bytes_total));
  }
  if (hooks_.changed) hooks_.changed();
}

void Sync::received(std::uint64_t wire_bytes) {
  const SteadyTime now = parts_.clock.steady();
  rate_bytes_ += wire_bytes;
  const auto span = std::chrono::duration_cast<Milliseconds>(now - rate_since_);
  const bool told = span >= kRateSpan;
  shared_.with([&](Shared& shared) {
    shared.status.wan_bytes += wire_bytes;
    if (told)
      shared.status.bytes_per_second =
          rate_bytes_ * 1000 / static_cast<std::uint64_t>(span.count());
  });
  if (!told) return;
  rate_since_ = now;
  rate_bytes_ = 0;
}

Result<Held> Sync::look() {
  auto stored = parts_.catalog.stored();
  if (!stored) return stored.error();
  Held held;
  held.active = digest_of(stored->active);
  held.previous = digest_of(stored->previous);
  held.staged = digest_of(stored->staged);
  for (const auto& [digest, proof] : proofs_) held.proven.insert(digest);
  shared_.with([&](Shared& shared) {
    const auto damaged = [&](const std::optional<Digest>& release) {
      return release && shared.mended_to[*release] != shared.damage;
    };
    held.active_damaged = damaged(held.active);
    held.previous_damaged = damaged(held.previous);
    std::erase_if(shared.mended_to, [&](const auto& mended) {
      return mended.first != held.active && mended.first != held.previous &&
             mended.first != held.staged;
    });
    SyncStatus& status = shared.status;
    status.active = held.active;
    status.previous = held.previous;
    status.staged = held.staged;
    status.ready_proof.reset();
    if (!shared.desired) return;
    for (const auto& target : {shared.desired->serve, shared.desired->stage})
      if (target && proofs_.contains(*target)) status.ready_proof = proofs_.at(*target);
  });
  return held;
}

Sync::Outcome Sync::step(Upstream* upstream) {
  // Until it is durable, what was desired before goes on.
  const auto taken = take_unwritten();
  auto held = look();
  if (!held) return failed(held.error());
  const auto desired = this->desired();
  // Nothing desired yet: only what is served already is looked after.
  const Action action = next_action(desired ? *desired : DesiredState{}, *held);
  Outcome outcome = act(action, upstream);
  if (action.kind == Action::Kind::heal && outcome.kind != Outcome::Kind::worked) {
    // What cannot be healed now must not hold up what can be done.
    held->active_damaged = held->previous_damaged = false;
    const Action next = next_action(desired ? *desired : DesiredState{}, *held);
    if (next.kind != Action::Kind::rest) outcome = act(next, upstream);
  }
  const bool pending =
      outcome.kind == Outcome::Kind::waiting || outcome.kind == Outcome::Kind::failed;
  shared_.with([&](Shared& shared) {
    shared.working_on.reset();
    shared.status.bytes_per_second = 0;
    if (pending) return;
    shared.status.step = SyncStep::idle;
    shared.status.release.reset();
  });
  if (auto after = look(); !after) return failed(after.error());
  if (outcome.kind != Outcome::Kind::rest && hooks_.changed) hooks_.changed();
  if (!taken && outcome.kind != Outcome::Kind::worked) return failed(taken.error());
  return outcome;
}

Sync::Outcome Sync::act(const Action& action, Upstream* upstream) {
  if (action.kind == Action::Kind::rest) {
    report("");
    auto swept = sweep_if_due();
    if (!swept) return failed(swept.error());
    return {*swept, {}};
  }
  shared_.with([&](Shared& shared) {
    shared.working_on = action.release;
    shared.healing = action.kind == Action::Kind::heal;
    shared.status.release = action.release;
  });
  rate_since_ = parts_.clock.steady();
  rate_bytes_ = 0;
  Outcome outcome;
  switch (action.kind) {
    case Action::Kind::rest: break;
    case Action::Kind::heal: outcome = heal(action.release, upstream); break;
    case Action::Kind::transfer: outcome = transfer(action.release, upstream); break;
    case Action::Kind::activate: outcome = activate(action.release); break;
  }
  const bool told = outcome.error && outcome.error->code != Errc::cancelled;
  if (outcome.kind == Outcome::Kind::failed && told)
    log::warn("sync.failed", log::kv("release", action.release.short_hex()),
              log::kv("error", outcome.error->what));
  // That an install of yesterday may miss something says nothing of what the site should serve.
  const bool of_old = action.kind == Action::Kind::heal && action.release != status().active;
  report(told && !of_old ? outcome.error->what : std::string());
  return outcome;
}

Sync::Outcome Sync::fetch_failed(const Error& error, bool linked) {
  // Without a link nothing is wrong: there is nobody to ask yet.
  if (!linked && error.code == Errc::unavailable) return {Outcome::Kind::waiting, {}};
  return failed(error);
}

/// What clients read now, or began to read, has lost something; or a start looks whether it has.
Sync::Outcome Sync::heal(const Digest& release, Upstream* upstream) {
  const std::uint64_t known_damage = damage();
  auto document = document_of(release);
  if (!document) return failed(document.error());
  FARBOOT_CHECK(*document != nullptr);
  auto job = job_of(release, **document);
  if (!job) return failed(job.error());
  job->verify = false;
  auto done = Transfer(parts_.content, upstream, parts_.clock, *this).run(*job);
  if (!done) {
    const Errc code = done.error().code;
    if (upstream == nullptr || code == Errc::unavailable || code == Errc::timeout ||
        code == Errc::cancelled)
      return fetch_failed(done.error(), upstream != nullptr);
    // Of these time heals nothing. What lacks room, say, is tried again.
    const bool for_good = code == Errc::not_found || code == Errc::denied ||
                          code == Errc::mismatch || code == Errc::invalid;
    if (!for_good) return failed(done.error());
    // Nobody gives us this one any more: go on to what is desired.
    log::warn("sync.not_healed", log::kv("release", release.short_hex()),
              log::kv("error", done.error().what));
  }
  mended(release, known_damage);
  if (done && done->fetched_chunks > 0) {
    log::info("sync.healed", log::kv("release", release.short_hex()),
              log::kv("chunks", done->fetched_chunks));
    if (status().active != release) return {Outcome::Kind::worked, {}};
    auto snapshot = load_snapshot(parts_.content, **document);
    if (!snapshot) return failed(snapshot.error());
    hooks_.publish(std::move(*snapshot));
  }
  return {Outcome::Kind::worked, {}};
}

Sync::Outcome Sync::transfer(const Digest& release, Upstream* upstream) {
  auto document = document_of(release);
  if (!document) return failed(document.error());
  if (!*document) {
    at(SyncStep::offer, 0, 0);
    return {Outcome::Kind::waiting, {}};
  }
  auto job = job_of(release, **document);
  if (!job) return failed(job.error());
  // What came of it goes at the next rest, should it stop being wanted.
  if (auto due = set_sweep_due(); !due) return failed(due.error());
  const std::uint64_t known_damage = damage();
  auto done = Transfer(parts_.content, upstream, parts_.clock, *this).run(*job);
  if (!done) return fetch_failed(done.error(), upstream != nullptr);

  const SignedDocument proof =
      make_ready_proof(parts_.key, parts_.agent, release, done->chunks, parts_.clock.wall());
  auto stored = parts_.catalog.stored();
  if (!stored) return failed(stored.error());
  if (digest_of(stored->active) != release && digest_of(stored->staged) != release) {
    auto staged = parts_.catalog.commit_staged(**document);
    if (!staged) return failed(staged.error());
  }
  auto kept = keep_proof(release, proof);
  if (!kept) return failed(kept.error());
  mended(release, known_damage);  // all of it was read back
  log::info("sync.ready", log::kv("release", release.short_hex()), log::kv("number", job->number),
            log::kv("chunks", done->chunks.size()), log::kv("bytes", done->bytes),
            log::kv("fetched", done->fetched_chunks));
  return {Outcome::Kind::worked, {}};
}

Sync::Outcome Sync::activate(const Digest& release) {
  auto document = document_of(release);
  if (!document) return failed(document.error());
  FARBOOT_CHECK(*document != nullptr);
  at(SyncStep::activate, 0, 0);
  auto snapshot = load_snapshot(parts_.content, **document);
  if (!snapshot) return failed(snapshot.error());
  if (auto due = set_sweep_due(); !due) return failed(due.error());
  auto committed = parts_.catalog.commit_active(**document);
  if (!committed) return failed(committed.error());
  log::info("sync.activate", log::kv("release", release.short_hex()),
            log::kv("number", (*snapshot)->release.number));
  hooks_.publish(std::move(*snapshot));
  return {Outcome::Kind::worked, {}};
}

Result<std::shared_ptr<const SignedDocument>> Sync::document_of(const Digest& release) const {
  auto stored = parts_.catalog.stored();
  if (!stored) return stored.error();
  std::shared_ptr<const SignedDocument> found;
  for (const auto& document : {stored->active, stored->previous, stored->staged})
    if (!found && digest_of(document) == release) found = document;
  if (!found)
    if (const auto offer = offer_of(release))
      found = std::make_shared<const SignedDocument>(offer->release);
  if (!found) return found;
  // Also what lay on our own disk: nothing is served that the key did not sign.
  auto verified = parts_.verify_key.verify(DocumentKind::release, *found);
  if (!verified) return prefix("release " + release.short_hex(), verified.error());
  return found;
}

std::shared_ptr<const Offer> Sync::offer_of(const Digest& release) const {
  return shared_.with([&](const Shared& shared) {
    const auto found = shared.offers.find(release);
    return found == shared.offers.end() ? nullptr : found->second;
  });
}

Result<Transfer::Job> Sync::job_of(const Digest& release, const SignedDocument& document) const {
  auto decoded = decode_release(document.document);
  if (!decoded) return decoded.error();
  Transfer::Job job;
  job.digest = release;
  job.number = decoded->number;
  job.manifests = decoded->manifests();
  if (const auto offer = offer_of(release)) job.total_bytes = offer->total_bytes;
  return job;
}

void Sync::report(std::string error) {
  constexpr std::size_t kErrorBytesMax = 1024;
  if (error.size() > kErrorBytesMax) error.resize(kErrorBytesMax);
  shared_.with([&](Shared& shared) { shared.status.error = std::move(error); });
}

Result<void> Sync::keep_proof(const Digest& release, const SignedDocument& proof) {
  const Bytes stored = encode_signed(proof);
  auto kept = parts_.state.put(ready_key(release), std::string(as_text(stored)));
  if (!kept) return kept.error();
  proofs_[release] = proof;
  return {};
}

Result<void> Sync::forget_old_proofs() {
  auto stored = parts_.catalog.stored();
  if (!stored) return stored.error();
  Transaction old;
  for (auto it = proofs_.begin(); it != proofs_.end();) {
    const bool held = it->first == digest_of(stored->active) ||
                      it->first == digest_of(stored->previous) ||
                      it->first == digest_of(stored->staged);
    if (!held) old.erase(ready_key(it->first));
    it = held ? std::next(it) : proofs_.erase(it);
  }
  if (old.writes.empty()) return {};
  auto gone = parts_.state.commit(old);
  if (!gone) return gone.error();
  return {};
}

/// Written once, not with each attempt of a transfer: cards wear out.
Result<void> Sync::set_sweep_due() {
  auto due = parts_.state.get(kSweepKey);
  if (!due) return due.error();
  if (*due) return {};
  auto kept = parts_.state.put(std::string(kSweepKey), "1");
  return kept ? Result<void>() : kept.error();
}

Result<Sync::Outcome::Kind> Sync::sweep_if_due() {
  auto due = parts_.state.get(kSweepKey);
  if (!due) return due.error();
  if (!*due) return Outcome::Kind::rest;
  auto freed = sweep({});
  if (!freed && freed.error().code == Errc::cancelled) return Outcome::Kind::rest;
  if (!freed) return freed.error();
  auto done = parts_.state.commit(
      Transaction{}.expect(std::string(kSweepKey), (*due)->revision).erase(std::string(kSweepKey)));
  if (!done) return done.error();
  return Outcome::Kind::worked;
}

bool Sync::make_room(const std::vector<ChunkRef>& keep) {
  // A staged release that is no longer desired goes first; the catalog must not name it then.
  const auto desired = this->desired();
  auto stored = parts_.catalog.stored();
  if (!stored || !desired) return false;
  const auto staged = digest_of(stored->staged);
  if (staged && desired->serve != staged && desired->stage != staged) {
    auto dropped = parts_.state.commit(Transaction{}.erase(std::string(kStagedKey)));
    if (!dropped) return false;
    log::info("sync.staged_dropped", log::kv("release", staged->short_hex()));
  }
  auto freed = sweep(keep);
  return freed && *freed > 0;
}

Result<std::uint64_t> Sync::sweep(const std::vector<ChunkRef>& keep) {
  const auto in_use = hooks_.trees_in_use();
  if (!in_use) return fail(Errc::cancelled, "sweep: trees in use are not known now");
  auto stored = parts_.catalog.stored();
  if (!stored) return stored.error();
  auto kept = keep_set(parts_.content, parts_.state, *stored, *in_use, keep);
  if (!kept) return kept.error();
  auto freed = parts_.content.sweep(
      [&](const Digest& id) { return std::binary_search(kept->begin(), kept->end(), id); });
  if (!freed) return freed.error();
  auto forgotten = forget_old_proofs();
  if (!forgotten) return forgotten.error();
  log::info("sync.swept", log::kv("bytes", *freed), log::kv("kept_chunks", kept->size()));
  return *freed;
}

}  // namespace farboot
