// A controller's content and one agent's sync, without a wire between them.
#pragma once

#include "agent/sync/sync.h"
#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "common/store/release_closure.h"
#include "tests/agent/sync/fake_upstream.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fallible_state.h"
#include "tests/support/sample_content.h"

namespace farboot {

struct Centre {
  MemoryStore store;
  SigningKey key = SigningKey::generate();
  std::mt19937_64 random{42};
  std::map<Digest, Offer> offers;

  /// A release of `trees` new trees beside those of `shared`.
  Offer make_release(std::uint64_t number, int files, std::vector<Digest> shared = {}) {
    shared.push_back(put_sample_tree(store, random, files));
    Offer offer;
    const Release release = sample_release(number, shared);
    offer.release = sign_release(key, release);
    offer.manifests = release.manifests();
    for (const ChunkRef& chunk : *release_closure(store, offer.manifests)) {
      offer.total_bytes += chunk.size_bytes;
      ++offer.chunks;
    }
    offers[offer.release.digest()] = offer;
    return offer;
  }
  SignedDocument desired(std::uint64_t number, std::optional<Digest> stage,
                         std::optional<Digest> serve, SiteLimits limits = {}) {
    auto state = desired_state("lyon", number, stage, serve);
    state.limits = limits;
    return sign_desired(key, state);
  }
};

/// What survives a kill (stores), and what does not (the Sync and the Catalog on top).
struct Site {
  explicit Site(Centre& of, std::uint64_t budget_bytes = 1ull << 40)
      : centre(of), store(budget_bytes) {
    start();
  }
  void start() {
    sync.reset();
    catalog = std::make_unique<Catalog>(store, state);
    FARBOOT_CHECK(catalog->open(nullptr).has_value());
    SyncHooks hooks;
    hooks.pause = [this](Milliseconds time) {
      paused += time;
      clock.advance(time);
      if (on_pause) on_pause();
    };
    hooks.publish = [this](std::shared_ptr<const Snapshot> next) {
      catalog->publish(std::move(next));
    };
    hooks.changed = [this] {
      if (on_changed) on_changed();
    };
    hooks.taken = [this](const std::shared_ptr<const DesiredState>& desired) {
      taken.push_back(desired->number);
    };
    hooks.trees_in_use = [this] {
      return may_free ? std::optional(catalog->trees_in_use()) : std::nullopt;
    };
    sync = std::make_unique<Sync>(
        SyncParts{store, state, *catalog, clock, centre.key.verify_key(), key, "lyon", "lyon/pi1"},
        std::move(hooks));
    FARBOOT_CHECK(sync->open().has_value());
  }
  /// The newest state and the offers it names, as the link brings them.
  void tell(const SignedDocument& desired) {
    auto accepted = sync->accept(desired);
    FARBOOT_CHECK(accepted.has_value());
    tell_offers();
  }
  void tell_offers() {
    const auto now = sync->desired();
    for (const auto& release : {now->serve, now->stage})
      if (release && centre.offers.contains(*release))
        FARBOOT_CHECK(sync->offer(centre.offers.at(*release)).has_value());
  }
  /// Steps until there is nothing to do, or `steps_max`.
  Sync::Outcome settle(Upstream* upstream, int steps_max = 50) {
    Sync::Outcome outcome;
    for (int i = 0; i < steps_max; ++i) {
      outcome = sync->step(upstream);
      if (outcome.kind != Sync::Outcome::Kind::worked) break;
    }
    return outcome;
  }
  bool holds(const Offer& offer) {
    for (const ChunkRef& chunk : *release_closure(centre.store, offer.manifests)) {
      auto mine = store.get(chunk.id);
      if (!mine || *mine != *centre.store.get(chunk.id)) return false;
    }
    return true;
  }

  Centre& centre;
  FakeClock clock;
  MemoryStore store;
  MemoryState card;
  testing::FallibleState state{card};
  IdentityKey key = IdentityKey::generate();
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Sync> sync;
  Milliseconds paused{0};
  bool may_free = true;  ///< the loop answers which trees are in use
  std::function<void()> on_pause, on_changed;
  std::vector<std::uint64_t> taken;  ///< numbers of the desired states that were told to the loop
};

}  // namespace farboot
