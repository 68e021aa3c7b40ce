// The set of boot loaders that releases carry: made of several sources, added to, taken from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/store/content_store.h"
#include "controller/release/image_book.h"

namespace farboot {

struct LoaderRequest {
  /// As read_loaders() takes them, on this machine; of two files with one name that of the later
  /// source counts. None: where Debian's `ipxe` package is installed.
  std::vector<std::string> sources;
  bool add = false;  ///< to those that are held; without it they go
};

struct LoaderChange {
  /// With the revision of the set it takes the place of; without the time.
  LoaderRecord record;
  /// What else the operator should hear of this change: files that are no longer there, files that
  /// took another's place. Not kept.
  std::vector<std::string> notes;
};

/// Nothing becomes visible: the caller records the set, or sweeps. Errors: not_found (names what it
/// looked for), denied, invalid, exhausted.
Result<LoaderChange> import_loaders(const LoaderRequest& request,
                                    const std::optional<LoaderRecord>& held, ContentStore& store);

/// `names`: files of the set, or folders of it. Errors: not_found (there is none of that name);
/// conflict (nothing would be left).
Result<LoaderChange> remove_loaders(const std::vector<std::string>& names, const LoaderRecord& held,
                                    ContentStore& store);

}  // namespace farboot
