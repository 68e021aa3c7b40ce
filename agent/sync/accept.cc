// What comes from outside: desired states and offers, checked before anything believes them.
#include <algorithm>

#include "agent/sync/sync.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kDesiredKey = "desired/state";
constexpr std::size_t kOffersMax = 4;  // stage and serve, and a change of both

Result<std::shared_ptr<const DesiredState>> checked_state(const SyncParts& parts,
                                                          const SignedDocument& document) {
  auto verified = parts.verify_key.verify(DocumentKind::desired_state, document);
  if (!verified) return prefix("desired state", verified.error());
  auto state = decode_desired_state(document.document);
  if (!state) return prefix("desired state", state.error());
  if (state->site != parts.site)
    return fail(Errc::denied, "desired state {}: of site {}, this agent is at {}", state->number,
                printable(state->site, 80), parts.site);
  return std::make_shared<const DesiredState>(std::move(*state));
}

bool names(const DesiredState* desired, const Digest& release) {
  return desired != nullptr && (desired->serve == release || desired->stage == release);
}

}  // namespace

Result<void> Sync::open() {
  auto entry = parts_.state.get(kDesiredKey);
  if (!entry) return prefix(kDesiredKey, entry.error());
  auto proofs = parts_.state.scan("sync/ready/");
  if (!proofs) return proofs.error();
  for (const StateEntry& proof : *proofs) {
    auto digest = Digest::from_hex(proof.key.substr(proof.key.rfind('/') + 1));
    auto document = decode_signed(as_bytes(proof.value));
    if (digest && document) proofs_.emplace(*digest, std::move(*document));
  }
  if (*entry) {
    auto document = decode_signed(as_bytes((*entry)->value));
    auto state = document ? checked_state(parts_, *document)
                          : Result<std::shared_ptr<const DesiredState>>(document.error());
    if (state) {
      shared_.with([&](Shared& shared) {
        shared.desired = *state;
        shared.status.desired_number = (*state)->number;
        shared.status.desired_digest = document->digest();
        shared.desired_document = std::move(*document);
      });
    } else {
      // Enrolled anew at another site, say: the next state that comes takes its place.
      log::warn("sync.desired_left_aside", log::kv("error", state.error().what));
    }
  }
  auto held = look();
  if (!held) return held.error();
  return {};
}

std::shared_ptr<const DesiredState> Sync::desired() const {
  return shared_.with([](const Shared& shared) { return shared.desired; });
}

Result<bool> Sync::accept(const SignedDocument& document) {
  const auto refused = [this](Error error) -> Error {
    count_refused();
    log::warn("sync.desired_refused", log::kv("error", error.what));
    return error;
  };
  auto state = checked_state(parts_, document);
  if (!state) return refused(state.error());
  const std::lock_guard one_writer(taking_);
  const auto [held, durable] = shared_.with([](const Shared& shared) {
    return shared.unwritten.state ? std::pair(shared.unwritten, false)
                                  : std::pair(Told{shared.desired, shared.desired_document}, true);
  });
  const bool same = held.state && held.document.document == document.document;
  if (same && durable) return false;
  if (held.state && (*state)->number < held.state->number)
    return refused(fail(Errc::denied, "desired state {}: older than {}, which is held",
                        (*state)->number, held.state->number));
  if (held.state && !same && (*state)->number == held.state->number)
    return refused(
        fail(Errc::denied, "desired state {}: there are two of that number", (*state)->number));
  auto taken = take({*state, document});
  if (!taken) return taken.error();
  return true;
}

/// What could not be written stays in memory and is told; each step tries again.
Result<void> Sync::take(const Told& told) {
  const std::uint64_t number = told.state->number;
  const Bytes stored = encode_signed(told.document);
  auto kept = parts_.state.put(std::string(kDesiredKey), std::string(as_text(stored)));
  if (!kept) {
    Error error =
        fail(Errc::unavailable, "desired state {}: not kept: {}", number, kept.error().what);
    const bool first = shared_.with([&](Shared& shared) {
      const bool known = shared.unwritten.state && shared.unwritten.state->number == number;
      shared.unwritten = told;
      shared.unwritten_error = error.what;
      return !known;
    });
    if (!first) return error;
    log::error("sync.desired_not_kept", log::kv("number", number),
               log::kv("error", kept.error().what));
    if (hooks_.changed) hooks_.changed();
    wake();
    return error;
  }
  shared_.with([&](Shared& shared) {
    shared.desired = told.state;
    shared.desired_document = told.document;
    shared.unwritten = {};
    shared.unwritten_error.clear();
    shared.status.desired_number = number;
    shared.status.desired_digest = told.document.digest();
    std::erase_if(shared.offers,
                  [&](const auto& offer) { return !names(told.state.get(), offer.first); });
  });
  const DesiredState& state = *told.state;
  log::info("sync.desired", log::kv("number", number),
            log::kv("serve", state.serve ? state.serve->short_hex() : "-"),
            log::kv("stage", state.stage ? state.stage->short_hex() : "-"),
            log::kv("hosts", state.hosts.size()));
  if (hooks_.taken) hooks_.taken(told.state);
  wake();
  return {};
}

Result<void> Sync::take_unwritten() {
  const std::lock_guard one_writer(taking_);
  const Told told = shared_.with([](const Shared& shared) { return shared.unwritten; });
  return told.state ? take(told) : Result<void>();
}

Result<void> Sync::offer(Offer offer) {
  const auto refused = [this](Error error) -> Error {
    count_refused();
    log::warn("sync.offer_refused", log::kv("error", error.what));
    return error;
  };
  auto verified = parts_.verify_key.verify(DocumentKind::release, offer.release);
  if (!verified) return refused(prefix("offer", verified.error()));
  auto release = decode_release(offer.release.document);
  if (!release) return refused(prefix("offer", release.error()));
  if (release->manifests() != offer.manifests)
    return refused(fail(Errc::mismatch, "offer r{}: not the manifests that the release names",
                        release->number));
  const Digest digest = offer.release.digest();
  const bool taken = shared_.with([&](Shared& shared) {
    const bool named =
        names(shared.desired.get(), digest) || names(shared.unwritten.state.get(), digest);
    if (!named || shared.offers.size() >= kOffersMax) return false;
    shared.offers[digest] = std::make_shared<const Offer>(std::move(offer));
    return true;
  });
  if (!taken) return {};  // of a state that is no longer the newest
  log::info("sync.offer", log::kv("release", digest.short_hex()),
            log::kv("number", release->number));
  wake();
  return {};
}

}  // namespace farboot
