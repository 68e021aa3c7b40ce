// Rollouts on disk (`rollout/<id>`), and the operator's words to them. The runner moves them on.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"
#include "controller/fleet/fleet.h"
#include "controller/release/image_book.h"
#include "controller/release/release_book.h"
#include "controller/rollout/rollout.h"

namespace farboot {

struct RolloutWish {
  std::string release;  ///< as ReleaseBook::find()
  std::vector<RolloutWave> waves;
  RolloutPolicy policy;
  std::string comment;
  std::string started_by;
};

/// Thread-safe: it holds nothing of its own.
class Rollouts {
 public:
  struct Parts {
    StateStore& state;
    const ContentStore& content;
    const ImageBook& images;
    const ReleaseBook& releases;
    Fleet& fleet;
    const Clock& clock;
  };
  explicit Rollouts(Parts parts) : parts_(parts) {}

  /// Errors: not_found (release, site), invalid (waves, policy), conflict (another rollout that has
  /// not ended has one of the sites; content of the release was removed).
  Result<Rollout> start(const RolloutWish& wish);

  /// Newest first.
  Result<std::vector<Rollout>> rollouts() const;
  /// Empty: the newest. Errors: not_found.
  Result<Rollout> find(std::string_view id) const;

  /// Empty id: the one that has not ended. Errors: not_found; conflict (none or several have not
  /// ended, or its state does not allow it).
  Result<Rollout> pause(std::string_view id, const std::string& reason);
  Result<Rollout> resume(std::string_view id, const std::string& reason);
  Result<Rollout> abort(std::string_view id, const std::string& reason);

  /// The newest release, those sites are to have, and those of rollouts that have not ended.
  Result<std::set<Digest>> live_releases() const;

  /// What a proof of readiness for this release must state: ReadyProof::root. Blocks. Errors: what
  /// the stores say.
  Result<Digest> proof_root(const Digest& release) const;

  /// For the runner: those that have not ended, and the revision each was read at.
  struct Stored {
    Rollout rollout;
    std::uint64_t revision = 0;
  };
  Result<std::vector<Stored>> unfinished() const;

 private:
  template <class Change>
  Result<Rollout> change(std::string_view id, Change change);
  static Result<void> check_free(const std::vector<RolloutTarget>& targets,
                                 const std::vector<Rollout>& rollouts);
  Result<void> check_held(const StoredRelease& release, Transaction& transaction) const;

  Parts parts_;
};

/// Where the rollout lies in the store.
std::string rollout_key(std::string_view id);

}  // namespace farboot
