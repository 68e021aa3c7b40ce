#include "common/content/ready_proof.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

Digest leaf(const Digest& digest) {
  Bytes bytes = {0};
  bytes.insert(bytes.end(), digest.bytes.begin(), digest.bytes.end());
  return sha256(bytes);
}
Digest node(const Digest& a, const Digest& b) {
  Bytes bytes = {1};
  bytes.insert(bytes.end(), a.bytes.begin(), a.bytes.end());
  bytes.insert(bytes.end(), b.bytes.begin(), b.bytes.end());
  return sha256(bytes);
}
Digest numbered(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return digest;
}

TEST(MerkleRoot, IsTheTreeHashOfRfc6962) {
  const Digest a = numbered(1), b = numbered(2), c = numbered(3), d = numbered(4), e = numbered(5);
  EXPECT_EQ(merkle_root({}), sha256({}));
  EXPECT_EQ(merkle_root({a}), leaf(a));
  EXPECT_EQ(merkle_root({a, b, c}), node(node(leaf(a), leaf(b)), leaf(c)));
  EXPECT_EQ(merkle_root({a, b, c, d, e}),
            node(node(node(leaf(a), leaf(b)), node(leaf(c), leaf(d))), leaf(e)));
}

TEST(MerkleRoot, DoesNotDependOnOrderOrRepetition) {
  const Digest a = numbered(1), b = numbered(2), c = numbered(3);
  EXPECT_EQ(merkle_root({c, a, b, a}), merkle_root({a, b, c}));
  EXPECT_NE(merkle_root({a, b}), merkle_root({a, c}));
}

TEST(ReadyProof, ComesBackAndRefusesRubbish) {
  ReadyProof proof;
  proof.agent = "lyon/pi1";
  proof.release = numbered(7);
  proof.chunks = 12;
  proof.bytes = 34567;
  proof.root = numbered(8);
  proof.made = WallTime(Milliseconds(1'790'000'000'123));
  const auto back = decode_ready_proof(encode_ready_proof(proof));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, proof);
  EXPECT_FALSE(decode_ready_proof(as_bytes("{}")));
  EXPECT_FALSE(decode_ready_proof(as_bytes("{\"format\":2}")));
  EXPECT_FALSE(decode_ready_proof({}));
}

}  // namespace
}  // namespace farboot
