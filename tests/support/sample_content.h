// Releases to transfer: trees of random files, signed documents, desired states. Seeded.
#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/content/chunker.h"
#include "common/content/desired_state.h"
#include "common/content/manifest.h"
#include "common/content/release.h"
#include "common/content/signature.h"
#include "common/store/content_store.h"

namespace farboot {

inline Bytes random_bytes(std::mt19937_64& random, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
  }
  return bytes;
}

/// Puts a tree of `files` files into the store: small ones, some over a chunk long, some of text
/// that compresses.
inline Digest put_sample_tree(ContentStore& store, std::mt19937_64& random, int files,
                              std::size_t file_bytes_max = 60'000) {
  Manifest manifest;
  for (int i = 0; i < files; ++i) {
    const bool large = file_bytes_max > 10'000 && i % 16 == 1;  // over a chunk long
    const std::size_t size = large ? kChunkBytesMax + 100'000 : 1 + random() % file_bytes_max;
    Bytes bytes = i % 3 == 0 ? Bytes(size, static_cast<std::uint8_t>('a' + i % 26))
                             : random_bytes(random, size);
    FileEntry entry;
    entry.path = fmt::format("Packages/file-{:05}", i);
    entry.size_bytes = size;
    entry.sha256 = sha256(bytes);
    for (std::size_t at = 0; at < size; at += kChunkBytesMax) {
      const ByteView piece(bytes.data() + at, std::min<std::size_t>(size - at, kChunkBytesMax));
      const Digest id = sha256(piece);
      entry.chunks.push_back({id, static_cast<std::uint32_t>(piece.size())});
      FARBOOT_CHECK(store.put(id, piece).has_value());
    }
    manifest.files.push_back(std::move(entry));
  }
  auto digest = put_manifest(store, manifest);
  FARBOOT_CHECK(digest.has_value());
  return *digest;
}

inline Release sample_release(std::uint64_t number, std::vector<Digest> trees) {
  Release release;
  release.number = number;
  release.created = WallTime(Seconds(1'790'000'000));
  for (std::size_t i = 0; i < trees.size(); ++i) {
    Image image;
    image.name = fmt::format("centos{}", i + 7);
    image.tag = fmt::format("r{}", number);
    image.manifest = trees[i];
    image.facts.family = "redhat";
    image.facts.kernel = "Packages/file-00000";
    image.facts.initrd = "Packages/file-00000";
    release.images.push_back(std::move(image));
  }
  return release;
}

inline SignedDocument sign_release(const SigningKey& key, const Release& release) {
  return key.sign(DocumentKind::release, encode_release(release));
}

inline DesiredState desired_state(std::string site, std::uint64_t number,
                                  std::optional<Digest> stage, std::optional<Digest> serve) {
  DesiredState state;
  state.site = std::move(site);
  state.number = number;
  state.issued = WallTime(Seconds(1'790'000'000));
  state.stage = stage;
  state.serve = serve;
  return state;
}

inline SignedDocument sign_desired(const SigningKey& key, const DesiredState& state) {
  return key.sign(DocumentKind::desired_state, encode_desired_state(state));
}

}  // namespace farboot
