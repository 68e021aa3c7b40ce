// Releases: numbered, signed, never changed afterwards. `release/<hex digest>` (encode_signed),
// `release-number/<20 digits>` → hex digest.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/content/release.h"
#include "common/content/signature.h"
#include "common/store/state_store.h"

namespace farboot {

struct StoredRelease {
  Digest digest;
  Release release;
  SignedDocument document;
};

/// Thread-safe. Borrows the store and the key.
class ReleaseBook {
 public:
  ReleaseBook(StateStore& state, const SigningKey& key) : state_(state), key_(key) {}

  Result<std::optional<StoredRelease>> newest() const;
  /// Errors: not_found.
  Result<StoredRelease> find(const Digest& digest) const;
  /// `r7`, 64 hex digits, or an unambiguous beginning of at least 8. Errors: not_found, invalid,
  /// conflict (ambiguous).
  Result<StoredRelease> find(std::string_view name) const;
  /// Newest first.
  Result<std::vector<StoredRelease>> releases() const;
  /// What people call each release. Reads no document.
  Result<std::map<Digest, std::uint64_t>> numbers() const;

  /// Those asked for since the start that were changed since they were made. Each is in the log.
  std::set<Digest> changed() const;

  /// Numbers, dates and signs `content` (its number, parent and created are not looked at) as the
  /// child of `parent`, and adds it to `transaction`, which conflicts if another release was made
  /// meanwhile. Errors: invalid (the content does not hold together), exhausted (too large).
  Result<StoredRelease> prepare(Release content, const std::optional<StoredRelease>& parent,
                                WallTime now, Transaction& transaction) const;

 private:
  Result<StoredRelease> load(std::string_view hex) const;
  Result<StoredRelease> read(std::string_view hex) const;

  StateStore& state_;
  const SigningKey& key_;
  mutable Guarded<std::set<Digest>> changed_;
};

/// True if a machine could tell no difference: everything but number, parent, date and comment.
bool same_content(const Release& a, const Release& b);

}  // namespace farboot
