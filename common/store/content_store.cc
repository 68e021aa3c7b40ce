#include "common/store/content_store.h"

#include <algorithm>
#include <unordered_set>

namespace farboot {
namespace {

/// Parts of a manifest put at once: 16 MiB, so that a huge manifest needs few syncs.
constexpr std::size_t kPartsPerBatch = 16;

struct LoadedManifest {
  Manifest manifest;
  std::vector<ChunkRef> stored;  ///< root, then parts
};

Result<Bytes> read_parts(const ContentStore& store, const std::vector<ChunkRef>& parts) {
  std::uint64_t total = 0;
  for (const ChunkRef& part : parts) total += part.size_bytes;
  if (total > kManifestBytesMax) {
    return fail(Errc::invalid, "{} bytes, at most {} are allowed", total, kManifestBytesMax);
  }
  Bytes flat;
  flat.reserve(total);
  for (const ChunkRef& part : parts) {
    auto bytes = store.get(part.id);
    if (!bytes) return prefix("part", bytes.error());
    if (bytes->size() != part.size_bytes) {
      return fail(Errc::invalid, "part {}: {} bytes, the root says {}", part.id.short_hex(),
                  bytes->size(), part.size_bytes);
    }
    flat.insert(flat.end(), bytes->begin(), bytes->end());
  }
  return flat;
}

Result<LoadedManifest> load(const ContentStore& store, const Digest& digest) {
  auto root = store.get(digest);
  if (!root) return root.error();
  auto parts = manifest_parts(*root);
  if (!parts) return parts.error();

  LoadedManifest loaded;
  loaded.stored.push_back({digest, static_cast<std::uint32_t>(root->size())});
  loaded.stored.insert(loaded.stored.end(), parts->begin(), parts->end());
  if (!parts->empty()) {
    root = read_parts(store, *parts);
    if (!root) return root.error();
  }
  auto manifest = decode_manifest(*root);
  if (!manifest) return manifest.error();
  loaded.manifest = std::move(*manifest);
  return loaded;
}

}  // namespace

Result<std::vector<Digest>> ContentStore::verify_all(std::span<const Digest> ids) {
  std::vector<Digest> bad;
  for (const Digest& id : ids) {
    auto right = verify(id);
    if (right) continue;
    const Errc code = right.error().code;
    if (code != Errc::corrupt && code != Errc::not_found) return right.error();
    bad.push_back(id);
  }
  return bad;
}

Result<Digest> put_manifest(ContentStore& store, const Manifest& manifest) {
  auto stored = to_stored(manifest);
  if (!stored) return stored.error();
  std::vector<ContentStore::Chunk> batch;
  for (const Bytes& part : stored->parts) {
    batch.push_back({sha256(part), part});
    if (batch.size() < kPartsPerBatch) continue;
    if (auto put = store.put(batch); !put) return prefix("manifest", put.error());
    batch.clear();
  }
  if (!batch.empty()) {
    if (auto put = store.put(batch); !put) return prefix("manifest", put.error());
  }
  // The root goes last: who holds it holds the parts.
  if (auto put = store.put(stored->digest, stored->root); !put) {
    return prefix("manifest", put.error());
  }
  return stored->digest;
}

Result<Manifest> get_manifest(const ContentStore& store, const Digest& digest) {
  auto loaded = load(store, digest);
  if (!loaded) return prefix("manifest " + digest.short_hex(), loaded.error());
  return std::move(loaded->manifest);
}

Result<std::vector<ChunkRef>> manifest_closure(const ContentStore& store, const Digest& digest) {
  auto loaded = load(store, digest);
  if (!loaded) return prefix("manifest " + digest.short_hex(), loaded.error());
  std::vector<ChunkRef> closure;
  std::unordered_set<Digest, DigestHash> seen;
  const auto add = [&](const ChunkRef& chunk) {
    if (seen.insert(chunk.id).second) closure.push_back(chunk);
  };
  for (const ChunkRef& chunk : loaded->stored) add(chunk);
  for (const FileEntry& file : loaded->manifest.files) {
    for (const ChunkRef& chunk : file.chunks) add(chunk);
  }
  return closure;
}

}  // namespace farboot
