#include "common/content/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace farboot {
namespace {

// RFC 8032 §7.1 test 1's secret key, as PKCS#8.
constexpr std::string_view kPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

TEST(Signature, IsAcceptedByItsKeyOnly) {
  const SigningKey key = SigningKey::generate();
  const SignedDocument document = key.sign(DocumentKind::release, to_bytes("hello"));
  EXPECT_TRUE(key.verify_key().verify(DocumentKind::release, document));
  const VerifyKey other = SigningKey::generate().verify_key();
  auto refused = other.verify(DocumentKind::release, document);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr(other.id()));
}

TEST(Signature, IsForOneKindOfDocument) {
  const SigningKey key = SigningKey::generate();
  const SignedDocument document = key.sign(DocumentKind::desired_state, to_bytes("{}"));
  EXPECT_TRUE(key.verify_key().verify(DocumentKind::desired_state, document));
  EXPECT_FALSE(key.verify_key().verify(DocumentKind::release, document));
  EXPECT_FALSE(key.verify_key().verify(DocumentKind::ready, document));
}

TEST(Signature, IsVoidOnceABitChanges) {
  const SigningKey key = SigningKey::generate();
  const SignedDocument document = key.sign(DocumentKind::ready, to_bytes("document"));
  SignedDocument changed = document;
  changed.document[0] ^= 1;
  EXPECT_FALSE(key.verify_key().verify(DocumentKind::ready, changed));
  for (std::size_t i = 0; i < document.signature.size(); ++i) {
    changed = document;
    changed.signature[i] ^= 1;
    EXPECT_FALSE(key.verify_key().verify(DocumentKind::ready, changed)) << i;
  }
}

// On wire: Ed25519 is deterministic, so what is signed is pinned by one signature.
TEST(Signature, CoversTheBytesOfVersionOne) {
  const auto key = SigningKey::from_pem(kPem);
  ASSERT_TRUE(key) << key.error().what;
  EXPECT_EQ(to_hex(key->verify_key().bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const SignedDocument document = key->sign(DocumentKind::release, to_bytes("hello"));
  EXPECT_EQ(sha256(encode_signed(document)).hex(),
            "63cbf7c5385074c0aee9986b86df3351462585d5d4b8718499c7c22983c63b88");
}

TEST(SigningKey, SurvivesItsPem) {
  const SigningKey key = SigningKey::generate();
  const auto again = SigningKey::from_pem(key.to_pem());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->verify_key(), key.verify_key());
  EXPECT_EQ(SigningKey::from_pem(kPem)->to_pem(), kPem);
}

TEST(SigningKey, RefusesWhatIsNoEd25519Pem) {
  constexpr std::string_view rsa_less =
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VuBCIEIHAHbQptPBilzBjV9zxV2xL3ABBBBBBBBBBBBBBBBBBB\n"
      "-----END PRIVATE KEY-----\n";  // X25519
  for (const std::string& pem :
       {std::string(), std::string("hello"), std::string(kPem.substr(0, 60)), std::string(rsa_less),
        std::string(20'000, '-')}) {
    auto key = SigningKey::from_pem(pem);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::invalid);
  }
}

TEST(VerifyKey, TakesThirtyTwoBytes) {
  EXPECT_TRUE(VerifyKey::from_bytes(Bytes(32)));
  EXPECT_FALSE(VerifyKey::from_bytes(Bytes(31)));
  EXPECT_EQ(SigningKey::generate().verify_key().id().size(), 16u);
}

TEST(SignedDocument, ComesBackAsItWas) {
  const SignedDocument document =
      SigningKey::generate().sign(DocumentKind::release, to_bytes("hello"));
  const Bytes bytes = encode_signed(document);
  auto again = decode_signed(bytes);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, document);
  EXPECT_EQ(again->digest(), sha256(as_bytes("hello")));
  for (std::size_t size = 0; size <= bytes.size() - 5; ++size)  // up to an empty document
    EXPECT_FALSE(decode_signed(ByteView(bytes).first(size))) << size;
  Bytes wrong = bytes;
  wrong[4] = 9;
  EXPECT_THAT(decode_signed(wrong).error().what, ::testing::HasSubstr("version 9"));
}

}  // namespace
}  // namespace farboot
