#include "agent/catalog/catalog.h"

#include <utility>

#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kActive = "catalog/active";
constexpr std::string_view kPrevious = "catalog/previous";
constexpr std::string_view kStaged = "catalog/staged";
constexpr std::string_view kPinPrefix = "catalog/pin/";

/// The signed release under `key`, if there is one.
Result<std::shared_ptr<const SignedDocument>> stored_release(const StateStore& state,
                                                             std::string_view key) {
  auto entry = state.get(key);
  if (!entry) return entry.error();
  if (!*entry) return std::shared_ptr<const SignedDocument>();
  auto document = decode_signed(as_bytes((*entry)->value));
  if (!document) return prefix(key, document.error());
  return std::make_shared<const SignedDocument>(std::move(*document));
}

std::string stored_bytes(const SignedDocument& release) {
  const Bytes bytes = encode_signed(release);
  return std::string(as_text(bytes));
}

}  // namespace

CatalogFile Snapshot::find(const Digest& manifest, std::string_view path) const {
  const auto tree = trees.find(manifest);
  if (tree == trees.end()) return {};
  const FileEntry* entry = tree->second->find(path);
  if (entry == nullptr) return {};
  return {tree->second, entry, manifest, release.created};
}

std::optional<Digest> Snapshot::image_tree(std::string_view image) const {
  if (const Image* exact = release.image(image)) return exact->manifest;
  for (auto it = release.images.rbegin(); it != release.images.rend(); ++it) {
    if (it->name == image) return it->manifest;
  }
  return std::nullopt;
}

CatalogFile Snapshot::find_image(std::string_view image, std::string_view path) const {
  const auto tree = image_tree(image);
  return tree ? find(*tree, path) : CatalogFile{};
}

Result<std::shared_ptr<const Snapshot>> load_snapshot(const ContentStore& store,
                                                      const SignedDocument& release,
                                                      const Snapshot* known) {
  auto decoded = decode_release(release.document);
  if (!decoded) return decoded.error();
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->digest = release.digest();
  snapshot->release = std::move(*decoded);
  for (const Digest& digest : snapshot->release.manifests()) {
    if (known != nullptr) {
      const auto shared = known->trees.find(digest);
      if (shared != known->trees.end()) {
        snapshot->trees.emplace(*shared);
        continue;
      }
    }
    auto manifest = get_manifest(store, digest);
    if (!manifest) {
      return prefix(fmt::format("release r{}", snapshot->release.number), manifest.error());
    }
    snapshot->trees.emplace(digest, std::make_shared<const Manifest>(std::move(*manifest)));
  }
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

std::string pin_key(std::string_view attempt) { return std::string(kPinPrefix).append(attempt); }

std::string pin_value(const std::vector<Digest>& manifests) {
  std::string value;
  for (const Digest& digest : manifests) value += digest.hex() + '\n';
  return value;
}

Catalog::Catalog(const ContentStore& content, StateStore& state)
    : content_(content), state_(state) {}

std::shared_ptr<const Snapshot> Catalog::load_stored(std::string_view key, const StateEntry& entry,
                                                     const VerifyKey* trusted) const {
  auto document = decode_signed(as_bytes(entry.value));
  if (document && trusted != nullptr) {
    auto verified = trusted->verify(DocumentKind::release, *document);
    if (!verified) document = verified.error();
  }
  auto snapshot = document ? load_snapshot(content_, *document, active().get())
                           : Result<std::shared_ptr<const Snapshot>>(document.error());
  if (snapshot) return *snapshot;
  log::error("catalog.release_unreadable", log::kv("key", key),
             log::kv("error", snapshot.error().what));
  return nullptr;
}

Result<void> Catalog::open(const VerifyKey* trusted) {
  for (const auto& [key, slot] :
       {std::pair{kActive, &Serving::active}, std::pair{kPrevious, &Serving::previous}}) {
    auto entry = state_.get(key);
    if (!entry) return prefix(key, entry.error());
    if (!*entry) continue;
    auto snapshot = load_stored(key, **entry, trusted);
    if (snapshot) {
      remember(*snapshot);
    } else {
      ++refused_;
    }
    serving_.with([&, slot = slot](Serving& serving) { serving.*slot = std::move(snapshot); });
  }
  const auto standing_in = serving_.with([](Serving& serving) {
    if (serving.active) return std::shared_ptr<const Snapshot>();
    return serving.active = serving.previous;
  });
  if (standing_in)
    log::error("catalog.previous_serves", log::kv("release", standing_in->release.number));

  auto pins = state_.scan(kPinPrefix);
  if (!pins) return prefix(kPinPrefix, pins.error());
  for (const StateEntry& entry : *pins) open_pin(entry);
  return {};
}

void Catalog::open_pin(const StateEntry& entry) {
  const std::string name = entry.key.substr(kPinPrefix.size());
  std::string_view rest = entry.value;
  while (true) {
    const auto begin = rest.find_first_not_of(" \n,");
    if (begin == std::string_view::npos) return;
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n,"));
    rest.remove_prefix(word.size());
    auto digest = Digest::from_hex(word);
    auto tree =
        digest ? known_tree(*digest) : Result<std::shared_ptr<const Manifest>>(digest.error());
    if (!tree) {
      log::warn("catalog.pin_unreadable", log::kv("error", tree.error().what));
      continue;
    }
    pin(name, *digest, std::move(*tree));
  }
}

Result<std::shared_ptr<const Manifest>> Catalog::known_tree(const Digest& digest) const {
  if (const auto lent = lent_.find(digest); lent != lent_.end()) {
    if (auto tree = lent->second.lock()) return tree;
  }
  auto manifest = get_manifest(content_, digest);
  if (!manifest) return manifest.error();
  return std::make_shared<const Manifest>(std::move(*manifest));
}

Result<void> Catalog::commit_active(const SignedDocument& release) {
  auto now_active = state_.get(kActive);
  if (!now_active) return now_active.error();
  auto staged = state_.get(kStaged);
  if (!staged) return staged.error();

  const std::string next = stored_bytes(release);
  Transaction transaction;
  if (*now_active && (*now_active)->value == next) {
    if (!*staged || (*staged)->value != next) return {};
  } else {
    transaction.expect(std::string(kActive), *now_active ? (*now_active)->revision : 0);
    if (*now_active) transaction.put(std::string(kPrevious), (*now_active)->value);
    transaction.put(std::string(kActive), next);
  }
  if (*staged && (*staged)->value == next) {
    transaction.expect(std::string(kStaged), (*staged)->revision).erase(std::string(kStaged));
  }
  auto committed = state_.commit(transaction);
  if (!committed) return prefix("catalog", committed.error());
  return {};
}

void Catalog::publish(std::shared_ptr<const Snapshot> next) {
  if (!next) return;
  std::erase_if(lent_, [](const auto& item) { return item.second.expired(); });
  remember(*next);
  std::shared_ptr<const Snapshot> gone;  // goes outside the lock: with it may go whole trees
  serving_.with([&](Serving& serving) {
    if (serving.active && serving.active->digest != next->digest)
      gone = std::exchange(serving.previous, serving.active);
    serving.active.swap(next);
  });
}

Catalog::Pinned Catalog::reachable(const Digest& manifest) const {
  return serving_.with([&](const Serving& serving) -> Pinned {
    for (const auto* snapshot : {serving.active.get(), serving.previous.get()}) {
      if (snapshot == nullptr) continue;
      const auto tree = snapshot->trees.find(manifest);
      if (tree != snapshot->trees.end()) return {manifest, tree->second, snapshot->release.created};
    }
    for (const auto& [name, pinned] : serving.pins) {
      for (const Pinned& pin : pinned) {
        if (pin.manifest == manifest) return pin;
      }
    }
    return {};
  });
}

CatalogFile Catalog::find_tree(const Digest& manifest, std::string_view path) const {
  const Pinned found = reachable(manifest);
  const FileEntry* entry = found.tree ? found.tree->find(path) : nullptr;
  if (entry == nullptr) return {};
  return {found.tree, entry, manifest, found.modified};
}

void Catalog::pin(std::string pin, Digest manifest, std::shared_ptr<const Manifest> tree) {
  if (!tree) return;
  remember(manifest, tree);
  serving_.with([&](Serving& serving) {
    WallTime modified{};
    for (const auto* snapshot : {serving.active.get(), serving.previous.get()}) {
      if (snapshot == nullptr || !snapshot->trees.contains(manifest)) continue;
      modified = snapshot->release.created;
      break;
    }
    auto& pinned = serving.pins[std::move(pin)];
    for (const Pinned& one : pinned) {
      if (one.manifest == manifest) return;
    }
    pinned.push_back({manifest, std::move(tree), modified});
  });
}

void Catalog::unpin(std::string_view pin) {
  const auto gone = serving_.with([&](Serving& serving) {
    const auto it = serving.pins.find(pin);
    return it == serving.pins.end() ? decltype(serving.pins)::node_type()
                                    : serving.pins.extract(it);
  });
}

std::map<Digest, std::shared_ptr<const Manifest>> Catalog::trees_in_use() const {
  std::map<Digest, std::shared_ptr<const Manifest>> trees;
  for (const auto& [digest, lent] : lent_) {
    if (auto tree = lent.lock()) trees.emplace(digest, std::move(tree));
  }
  return trees;
}

void Catalog::remember(const Digest& manifest, const std::shared_ptr<const Manifest>& tree) {
  const auto [begin, end] = lent_.equal_range(manifest);
  for (auto it = begin; it != end; ++it) {
    if (it->second.lock() == tree) return;
  }
  lent_.emplace(manifest, tree);  // also beside another copy of the same tree, which may end first
}

void Catalog::remember(const Snapshot& snapshot) {
  for (const auto& [digest, tree] : snapshot.trees) remember(digest, tree);
}

Result<Catalog::Stored> Catalog::stored() const {
  Stored stored;
  for (const auto& [key, slot] :
       {std::pair{kActive, &stored.active}, std::pair{kPrevious, &stored.previous},
        std::pair{kStaged, &stored.staged}}) {
    auto release = stored_release(state_, key);
    if (!release) return release.error();
    *slot = std::move(*release);
  }
  return stored;
}

Result<void> Catalog::commit_staged(const SignedDocument& release) {
  auto committed = state_.put(std::string(kStaged), stored_bytes(release));
  if (!committed) return prefix("catalog", committed.error());
  return {};
}

}  // namespace farboot
