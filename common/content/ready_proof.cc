#include "common/content/ready_proof.h"

#include <algorithm>

#include "common/content/json_fields.h"

namespace farboot {
namespace {

constexpr std::uint8_t kLeaf = 0;
constexpr std::uint8_t kNode = 1;
constexpr std::uint64_t kCountMax = 1ull << 62;

Digest leaf_hash(const Digest& digest) {
  Sha256 hasher;
  hasher.update({&kLeaf, 1});
  hasher.update(digest.view());
  return hasher.finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
  Sha256 hasher;
  hasher.update({&kNode, 1});
  hasher.update(left.view());
  hasher.update(right.view());
  return hasher.finish();
}

}  // namespace

Bytes encode_ready_proof(const ReadyProof& proof) {
  return json::dump({{"format", ReadyProof::kFormat},
                     {"agent", proof.agent},
                     {"release", proof.release.hex()},
                     {"chunks", proof.chunks},
                     {"bytes", proof.bytes},
                     {"root", proof.root.hex()},
                     {"made_ms", proof.made.time_since_epoch().count()}});
}

Result<ReadyProof> decode_ready_proof(ByteView document) {
  json::Fault fault;
  const json::Value value = json::parse(document, kReadyProofBytesMax, fault);
  const json::Fields root(value, "$", fault);
  json::check_format(root, ReadyProof::kFormat);
  ReadyProof proof;
  proof.agent = root.line("agent", 128);
  const auto release = root.digest("release");
  const auto tree = root.digest("root");
  proof.chunks = root.number("chunks", kCountMax);
  proof.bytes = root.number("bytes", kCountMax);
  proof.made = WallTime(Milliseconds(static_cast<std::int64_t>(root.number("made_ms", kCountMax))));
  if (!release) fault.set("$.release", "missing");
  if (!tree) fault.set("$.root", "missing");
  if (fault.any()) return prefix("ready proof", fault.error());
  proof.release = *release;
  proof.root = *tree;
  return proof;
}

Digest merkle_root(std::vector<Digest> digests) {
  std::sort(digests.begin(), digests.end());
  digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
  if (digests.empty()) return sha256({});
  for (Digest& digest : digests) digest = leaf_hash(digest);
  // Level by level, an odd one out moves up: the same tree as splitting at powers of two.
  while (digests.size() > 1) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < digests.size(); i += 2)
      digests[out++] = i + 1 < digests.size() ? node_hash(digests[i], digests[i + 1]) : digests[i];
    digests.resize(out);
  }
  return digests.front();
}

}  // namespace farboot
