// What the site serves now: the active release with its trees in memory, as one immutable snapshot.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/content/manifest.h"
#include "common/content/release.h"
#include "common/content/signature.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"

namespace farboot {

/// One file as a request finds it. Keeps its tree alive.
struct CatalogFile {
  std::shared_ptr<const Manifest> tree;
  const FileEntry* entry = nullptr;
  Digest manifest;
  WallTime modified{};  ///< creation of the release it was found in; the epoch: not known
};

/// A release with its manifests loaded. Immutable; shared by the requests that began with it.
struct Snapshot {
  Digest digest;  ///< of the release document
  Release release;
  std::map<Digest, std::shared_ptr<const Manifest>> trees;  ///< every manifest the release names

  /// A file of one of the release's trees. nullopt-like: entry is nullptr if there is none.
  CatalogFile find(const Digest& manifest, std::string_view path) const;
  /// A file of an image: `name@tag`, or the bare name of the image listed last under it.
  CatalogFile find_image(std::string_view image, std::string_view path) const;
  /// The tree of that image.
  std::optional<Digest> image_tree(std::string_view image) const;
};

/// Loads the manifests of a release from the store. Trees that `known` holds already are shared
/// with it. Blocks. Errors: not_found, invalid, corrupt.
Result<std::shared_ptr<const Snapshot>> load_snapshot(const ContentStore& store,
                                                      const SignedDocument& release,
                                                      const Snapshot* known = nullptr);

/// Key and value of a pin on disk: hex digests, one a line.
std::string pin_key(std::string_view attempt);
std::string pin_value(const std::vector<Digest>& manifests);

/// The catalog on disk (StateStore keys below) and in memory. active() and find_tree() on any
/// thread; everything else on the loop, except where it says "blocks": those on the disk pool or
/// before the loop runs.
///
///   catalog/active, catalog/previous, catalog/staged   encode_signed() of a release document
///   catalog/pin/<attempt>                               hex manifest digests an install under way
///   needs
class Catalog {
 public:
  Catalog(const ContentStore& content, StateStore& state);

  /// Reads back what was active. A site that never had a release has no snapshot, which is no
  /// error. If the active release cannot be loaded (a manifest rotted), the previous one serves
  /// until sync has healed it. Blocks: before the loop runs. Errors: only if the state cannot be
  /// read at all. A release that `trusted` did not sign is as good as unreadable; nullptr: there
  /// is no key to ask (a torn identity must not stop a site that is cut off).
  Result<void> open(const VerifyKey* trusted);

  /// Releases on the disk that open() did not take: changed, not signed by `trusted`, not readable.
  std::uint64_t refused() const { return refused_; }

  /// What requests use. nullptr: nothing is active yet. Thread-safe.
  std::shared_ptr<const Snapshot> active() const {
    return serving_.with([](const Serving& serving) { return serving.active; });
  }

  /// Makes `next` active and what was active `previous`, durably (one transaction). Blocks: disk
  /// pool. Then call `publish` on the loop. Activating what is active already is harmless.
  Result<void> commit_active(const SignedDocument& release);
  void publish(std::shared_ptr<const Snapshot> next);

  /// A file in an immutable tree: of the active release, of the previous one, or of a tree pinned
  /// by an install under way. Thread-safe.
  CatalogFile find_tree(const Digest& manifest, std::string_view path) const;

  /// The whole of such a tree; nullptr: there is none. Thread-safe.
  std::shared_ptr<const Manifest> tree(const Digest& manifest) const {
    return reachable(manifest).tree;
  }

  /// Keeps `tree` reachable by find_tree() until unpinned; `pin` names the install attempt, which
  /// may pin several. Loop only; the caller has stored the pin durably.
  void pin(std::string pin, Digest manifest, std::shared_ptr<const Manifest> tree);
  void unpin(std::string_view pin);

  /// Every tree that may still be asked for: active, previous, pinned, and those that transfers
  /// under way began with. The sweep must keep their chunks. Loop only.
  std::map<Digest, std::shared_ptr<const Manifest>> trees_in_use() const;

  /// Releases known on disk, for sync and sweep. Blocks.
  struct Stored {
    std::shared_ptr<const SignedDocument> active, previous, staged;
  };
  Result<Stored> stored() const;
  Result<void> commit_staged(const SignedDocument& release);

 private:
  struct Pinned {
    Digest manifest;
    std::shared_ptr<const Manifest> tree;
    WallTime modified{};
  };

  struct Serving {
    std::shared_ptr<const Snapshot> active, previous;
    std::map<std::string, std::vector<Pinned>, std::less<>> pins;
  };

  std::shared_ptr<const Snapshot> load_stored(std::string_view key, const StateEntry& entry,
                                              const VerifyKey* trusted) const;
  void open_pin(const StateEntry& entry);
  Pinned reachable(const Digest& manifest) const;
  Result<std::shared_ptr<const Manifest>> known_tree(const Digest& digest) const;
  void remember(const Digest& manifest, const std::shared_ptr<const Manifest>& tree);
  void remember(const Snapshot& snapshot);

  const ContentStore& content_;
  StateStore& state_;
  Guarded<Serving> serving_;  ///< changed on the loop only
  std::uint64_t refused_ = 0;
  std::multimap<Digest, std::weak_ptr<const Manifest>> lent_;  ///< all that were ever reachable
};

}  // namespace farboot
