// What a site is to have: its newest signed desired state, decoded once per change.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/content/digest.h"
#include "common/content/signature.h"
#include "common/store/state_store.h"

namespace farboot {

/// Immutable.
struct SiteTarget {
  std::uint64_t revision = 0;
  SignedDocument document;
  std::vector<Digest> releases;  ///< that it names, each once; what is to be served first
  std::vector<Digest> before;    ///< releases that states before it named, the last few
  bool names(const Digest& release) const;
  bool named(const Digest& release) const;  ///< now or before
};

/// Thread-safe.
class SiteTargets {
 public:
  explicit SiteTargets(const StateStore& state) : state_(state) {}

  /// nullptr: nothing was ever desired of the site. Blocks. Errors: corrupt, unavailable.
  Result<std::shared_ptr<const SiteTarget>> get(const std::string& site);

 private:
  const StateStore& state_;
  Guarded<std::map<std::string, std::shared_ptr<const SiteTarget>>> known_;
};

}  // namespace farboot
