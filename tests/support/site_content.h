// Trees and releases for tests that serve: deterministic bytes, kept in any store.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "common/content/manifest.h"
#include "common/content/release.h"
#include "common/content/signature.h"
#include "common/store/content_store.h"

namespace farboot {

/// `size` bytes that depend on `seed` and position; no two chunks alike.
inline Bytes sample_bytes(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 8 == 0) {
      word = (seed + i) * 0x9e3779b97f4a7c15ull + 0xbf58476d1ce4e5b9ull;
      word = (word ^ (word >> 30)) * 0x94d049bb133111ebull;
      word ^= word >> 31;
    }
    bytes[i] = static_cast<std::uint8_t>(word >> (i % 8 * 8));
  }
  return bytes;
}

/// Keeps `bytes` cut every `piece` bytes and describes them as a file at `path`.
inline FileEntry keep_file(ContentStore& store, std::string path, const Bytes& bytes,
                           std::size_t piece = kChunkBytesMax) {
  FileEntry entry;
  entry.path = std::move(path);
  entry.size_bytes = bytes.size();
  entry.sha256 = sha256(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const ByteView chunk = ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at));
    const Digest id = sha256(chunk);
    auto kept = store.put(id, chunk);
    EXPECT_TRUE(kept) << kept.error().what;
    entry.chunks.push_back({id, static_cast<std::uint32_t>(chunk.size())});
  }
  return entry;
}

/// Keeps files and their manifest; returns the manifest's digest.
inline Digest keep_tree(ContentStore& store, const std::map<std::string, Bytes>& files,
                        std::size_t piece = kChunkBytesMax) {
  Manifest manifest;
  for (const auto& [path, bytes] : files) {
    manifest.files.push_back(keep_file(store, path, bytes, piece));
  }
  auto digest = put_manifest(store, manifest);
  EXPECT_TRUE(digest) << digest.error().what;
  return digest ? *digest : Digest();
}

inline Image sample_image(std::string name, std::string tag, const Digest& manifest) {
  Image image;
  image.name = std::move(name);
  image.tag = std::move(tag);
  image.manifest = manifest;
  image.facts.family = "redhat";
  image.facts.distro = "CentOS";
  image.facts.version = "7";
  image.facts.arch = "x86_64";
  return image;
}

inline SignedDocument sign_release(const Release& release) {
  static const SigningKey key = SigningKey::generate();
  return key.sign(DocumentKind::release, encode_release(release));
}

}  // namespace farboot
