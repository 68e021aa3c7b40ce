#include "agent/sync/keep_set.h"

#include <algorithm>
#include <set>

#include "common/base/log.h"
#include "common/store/release_closure.h"

namespace farboot {
namespace {

class Keeper {
 public:
  explicit Keeper(const ContentStore& store) : store_(store) {}

  Result<void> tree(const Digest& manifest) {
    if (trees_.contains(manifest)) return {};
    auto chunks = manifest_closure(store_, manifest);
    if (!chunks) return chunks.error();
    for (const ChunkRef& chunk : *chunks) ids_.push_back(chunk.id);
    trees_.insert(manifest);
    return {};
  }
  Result<void> release(const std::shared_ptr<const SignedDocument>& document) {
    if (!document) return {};
    auto release = decode_release(document->document);
    if (!release) return release.error();
    for (const Digest& manifest : release->manifests()) {
      auto kept = tree(manifest);
      if (!kept) return prefix(fmt::format("release r{}", release->number), kept.error());
    }
    return {};
  }
  void add(const Digest& id) { ids_.push_back(id); }
  std::vector<Digest> take() {
    std::sort(ids_.begin(), ids_.end());
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
    return std::move(ids_);
  }

 private:
  const ContentStore& store_;
  std::set<Digest> trees_;
  std::vector<Digest> ids_;
};

bool rotten(const Error& error) {
  return error.code == Errc::not_found || error.code == Errc::corrupt ||
         error.code == Errc::invalid;
}

/// Hex digests between blanks, commas and line ends; as Catalog writes and reads them.
std::vector<Digest> pinned_trees(std::string_view value) {
  constexpr std::string_view kBetween = " \t\r\n,";
  std::vector<Digest> out;
  while (true) {
    const auto begin = value.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) return out;
    value.remove_prefix(begin);
    const std::string_view word = value.substr(0, value.find_first_of(kBetween));
    value.remove_prefix(word.size());
    if (auto digest = Digest::from_hex(word)) out.push_back(*digest);
  }
}

}  // namespace

Result<std::vector<Digest>> keep_set(const ContentStore& store, const StateStore& state,
                                     const Catalog::Stored& stored, const TreesInUse& in_use,
                                     std::span<const ChunkRef> more) {
  Keeper keeper(store);
  for (const auto& release : {stored.active, stored.staged}) {
    auto kept = keeper.release(release);
    if (!kept) return prefix("sweep", kept.error());
  }
  const auto optional = [](std::string_view what, const Result<void>& kept) -> Result<void> {
    if (kept) return {};
    if (!rotten(kept.error())) return prefix("sweep", kept.error());
    log::warn("sync.not_kept", log::kv("what", what), log::kv("error", kept.error().what));
    return {};
  };
  auto previous = optional("previous release", keeper.release(stored.previous));
  if (!previous) return previous.error();
  auto pins = state.scan("catalog/pin/");
  if (!pins) return pins.error();
  for (const StateEntry& pin : *pins)
    for (const Digest& tree : pinned_trees(pin.value)) {
      auto kept = optional("pinned tree", keeper.tree(tree));
      if (!kept) return kept.error();
    }
  for (const auto& [digest, tree] : in_use) {
    keeper.add(digest);
    for (const FileEntry& file : tree->files)
      for (const ChunkRef& chunk : file.chunks) keeper.add(chunk.id);
  }
  for (const ChunkRef& chunk : more) keeper.add(chunk.id);
  return keeper.take();
}

}  // namespace farboot
