#include "common/content/identity_key.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(IdentityKey, ComesBackFromPem) {
  const IdentityKey key = IdentityKey::generate();
  const auto back = IdentityKey::from_pem(key.to_pem());
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->public_pem(), key.public_pem());
  EXPECT_FALSE(IdentityKey::from_pem("nonsense"));
  EXPECT_FALSE(IdentityKey::from_pem(SigningKey::generate().to_pem())) << "Ed25519 is not P-256";
}

TEST(IdentityKey, SignsForOneKindAndOneDocument) {
  const IdentityKey key = IdentityKey::generate();
  for (int i = 0; i < 32; ++i) {  // r and s with leading zeros turn up one time in 128
    auto proof = key.sign(DocumentKind::ready, to_bytes("document " + std::to_string(i)));
    EXPECT_TRUE(verify_identity_signature(key.public_pem(), DocumentKind::ready, proof));
    EXPECT_FALSE(verify_identity_signature(key.public_pem(), DocumentKind::release, proof));
    EXPECT_EQ(
        verify_identity_signature(IdentityKey::generate().public_pem(), DocumentKind::ready, proof)
            .error()
            .code,
        Errc::denied);
    proof.document[0] ^= 1;
    EXPECT_FALSE(verify_identity_signature(key.public_pem(), DocumentKind::ready, proof));
  }
}

TEST(IdentityKey, ZeroSignatureIsNoSignature) {
  SignedDocument nothing;
  nothing.document = to_bytes("x");
  EXPECT_FALSE(verify_identity_signature(IdentityKey::generate().public_pem(), DocumentKind::ready,
                                         nothing));
}

}  // namespace
}  // namespace farboot
