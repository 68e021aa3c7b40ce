// Works towards the desired state: takes what is newest and signed, fetches, verifies, proves,
// activates, frees. Level-triggered: whatever is lost, doubled or reordered, the next step looks at
// what is.
//
//   desired/state        encode_signed() of the newest desired state
//   sync/ready/<hex>     encode_signed() of a release's ready proof
//   sync/sweep           exists while something may be freed
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "agent/catalog/catalog.h"
#include "agent/sync/keep_set.h"
#include "agent/sync/plan.h"
#include "agent/sync/transfer.h"
#include "agent/sync/upstream.h"
#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/content/identity_key.h"
#include "common/content/signature.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"

namespace farboot {

struct SyncParts {
  ContentStore& content;
  StateStore& state;
  Catalog& catalog;
  const Clock& clock;
  VerifyKey verify_key;    ///< of enrolment: signs releases and desired states
  const IdentityKey& key;  ///< signs ready proofs
  std::string site;
  std::string agent;  ///< `lyon/pi1`
};

/// How sync reaches the rest of the agent. Called on the thread that called step().
struct SyncHooks {
  /// Waits; returns early when Sync::wake() was called.
  std::function<void(Milliseconds)> pause;
  /// Makes requests see it: Catalog::publish() on the loop.
  std::function<void(std::shared_ptr<const Snapshot>)> publish;
  /// Catalog::trees_in_use(), asked on the loop after everything published before. nullopt: cannot
  /// be told now; nothing is freed.
  std::function<std::optional<TreesInUse>()> trees_in_use;
  /// The status changed. Any thread.
  std::function<void()> changed;
  /// A newer desired state is held and durable. Any thread, one at a time, in order. May be empty.
  std::function<void(std::shared_ptr<const DesiredState>)> taken;
  /// There may be something to do: call step() again, end pause(). Any thread. May be empty.
  std::function<void()> woken;
};

/// What the controller and the operator are told. A copy.
struct SyncStatus {
  std::uint64_t desired_number = 0;
  std::optional<Digest> desired_digest;  ///< of its document
  std::optional<Digest> active, previous, staged;
  SyncStep step = SyncStep::idle;
  std::optional<Digest> release;  ///< the transfer's
  std::uint64_t bytes_total = 0, bytes_done = 0, bytes_per_second = 0;
  std::uint64_t wan_bytes = 0;  ///< received since start, as they came on the line
  std::string error;            ///< why the last step failed; empty: it did not
  std::optional<SignedDocument> ready_proof;
  std::uint64_t refused_documents = 0;  ///< desired states and offers
  std::uint64_t rotten_chunks = 0;      ///< found since start
};

class Sync final : private TransferWatch {
 public:
  Sync(SyncParts parts, SyncHooks hooks);
  ~Sync() override;

  /// Reads back what was desired. A stored state of another site or key is left aside. Blocks.
  /// Errors: only if the state cannot be read.
  Result<void> open();

  /// The newest desired state that is durable, verified; nullptr: none yet. Any thread.
  std::shared_ptr<const DesiredState> desired() const;

  /// Takes a desired state: true if it is newer than what was held, durable then. Any thread.
  /// Errors: denied (not signed by our key, another site's, a downgrade, or another state of the
  /// same number), invalid, unavailable (it could not be written; the steps try it again).
  Result<bool> accept(const SignedDocument& document);
  /// One more document that is none of ours: it could not even be read. Any thread.
  void count_refused() {
    shared_.with([](Shared& shared) { ++shared.status.refused_documents; });
  }
  /// Remembers an offer that the desired state names. Any thread. Errors: denied, invalid,
  /// mismatch.
  Result<void> offer(Offer offer);

  struct Outcome {
    enum class Kind {
      rest,     ///< all is as it should be
      worked,   ///< something was done; call again
      waiting,  ///< for an offer or for the link
      failed,   ///< see error
    };
    Kind kind = Kind::rest;
    std::optional<Error> error;
  };
  /// One step; blocks for as long as a transfer takes. `upstream` null: there is no link now.
  /// Always the same thread.
  Outcome step(Upstream* upstream);

  /// Makes a transfer under way ask again whether it is wanted. Any thread.
  void wake();
  /// False: what a step under way works on is no longer wanted; it will end with its next chunk.
  bool still_wanted() const;
  /// Ends a step under way, for good. Any thread.
  void stop();
  /// A chunk was found rotten and taken out (PackStoreOptions::on_quarantine): the next step
  /// fetches what the active release lacks, and the one before. Any thread; quick.
  void damaged();

  SyncStatus status() const;

 private:
  /// A desired state, verified, and as it came.
  struct Told {
    std::shared_ptr<const DesiredState> state;  ///< nullptr: none
    SignedDocument document;
  };
  struct Shared {
    std::shared_ptr<const DesiredState> desired;
    SignedDocument desired_document;
    Told unwritten;  ///< newer than `desired`; the disk took no write yet
    std::string unwritten_error;
    std::map<Digest, std::shared_ptr<const Offer>> offers;
    std::optional<Digest> working_on;
    bool stopped = false;
    bool healing = false;      ///< that
    std::uint64_t damage = 1;  ///< times something may have been lost; once at each start
    std::map<Digest, std::uint64_t> mended_to;  ///< of these, looked after, by release
    SyncStatus status;
  };

  bool wanted() override;
  std::uint64_t bytes_per_second() override;
  void pause(Milliseconds time) override;
  void at(SyncStep step, std::uint64_t bytes_done, std::uint64_t bytes_total) override;
  void received(std::uint64_t wire_bytes) override;
  bool make_room(const std::vector<ChunkRef>& keep) override;

  Result<void> take(const Told& told);
  Result<void> take_unwritten();
  Result<Held> look();
  std::uint64_t damage() const;
  void mended(const Digest& release, std::uint64_t to);
  Outcome act(const Action& action, Upstream* upstream);
  Outcome heal(const Digest& release, Upstream* upstream);
  Outcome transfer(const Digest& release, Upstream* upstream);
  Outcome activate(const Digest& release);
  Outcome fetch_failed(const Error& error, bool linked);
  Result<Outcome::Kind> sweep_if_due();
  Result<std::uint64_t> sweep(const std::vector<ChunkRef>& keep);
  Result<void> set_sweep_due();
  Result<void> keep_proof(const Digest& release, const SignedDocument& proof);
  Result<void> forget_old_proofs();
  /// The signed document of a release that is here or on offer; nullptr: neither.
  Result<std::shared_ptr<const SignedDocument>> document_of(const Digest& release) const;
  std::shared_ptr<const Offer> offer_of(const Digest& release) const;
  Result<Transfer::Job> job_of(const Digest& release, const SignedDocument& document) const;
  void report(std::string error);

  SyncParts parts_;
  SyncHooks hooks_;
  Guarded<Shared> shared_;
  std::mutex taking_;  ///< one writer of desired/state at a time: accept() or step()
  // Of the step's thread only:
  std::map<Digest, SignedDocument> proofs_;
  SyncStep last_step_ = SyncStep::idle;
  SteadyTime rate_since_{};
  std::uint64_t rate_bytes_ = 0;
};

}  // namespace farboot
