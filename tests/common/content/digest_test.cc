#include "common/content/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace farboot {
namespace {

// FIPS 180-4 examples (NIST CSRC "SHA256.pdf") and the short-message vectors of CAVP.
TEST(Sha256, MatchesTheFipsExamples) {
  EXPECT_EQ(sha256(as_bytes("")).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(as_bytes(std::string(1'000'000, 'a'))).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, HashesAStreamInAnyPieces) {
  const std::string text(100'000, 'x');
  const Digest whole = sha256(as_bytes(text));
  Sha256 hasher;
  for (std::size_t at = 0, step = 1; at < text.size(); step = step * 3 % 4099) {
    const std::string_view piece = std::string_view(text).substr(at, step);
    hasher.update(as_bytes(piece));
    at += piece.size();
  }
  EXPECT_EQ(hasher.finish(), whole);
}

TEST(Sha256, StartsAnewAfterFinish) {
  Sha256 hasher;
  hasher.update(as_bytes("something else"));
  (void)hasher.finish();
  hasher.update(as_bytes("abc"));
  EXPECT_EQ(hasher.finish(), sha256(as_bytes("abc")));
}

TEST(Digest, ReadsBackItsHexInEitherCase) {
  const Digest digest = sha256(as_bytes("abc"));
  std::string upper = digest.hex();
  for (char& letter : upper)
    letter = letter >= 'a' ? static_cast<char>(letter - 'a' + 'A') : letter;
  EXPECT_EQ(*Digest::from_hex(digest.hex()), digest);
  EXPECT_EQ(*Digest::from_hex(upper), digest);
  EXPECT_EQ(digest.short_hex(), "ba7816bf8f01");
  EXPECT_EQ(fmt::format("{}", digest), digest.hex());
}

TEST(Digest, RefusesWhatIsNotSixtyFourHexDigits) {
  const std::string hex = sha256(as_bytes("abc")).hex();
  for (const std::string& wrong : {std::string(), hex.substr(1), hex + "0", "g" + hex.substr(1),
                                   " " + hex.substr(1), std::string(64, '\0')}) {
    auto digest = Digest::from_hex(wrong);
    ASSERT_FALSE(digest) << wrong;
    EXPECT_EQ(digest.error().code, Errc::invalid);
  }
}

TEST(Digest, TakesExactlyThirtyTwoBytes) {
  const Digest digest = sha256(as_bytes("abc"));
  EXPECT_EQ(*Digest::from_bytes(digest.view()), digest);
  EXPECT_FALSE(Digest::from_bytes(digest.view().first(31)));
  EXPECT_FALSE(Digest::from_bytes(Bytes(33)));
}

}  // namespace
}  // namespace farboot
