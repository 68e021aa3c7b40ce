#include "common/rpc/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot {
namespace {

using ::testing::HasSubstr;

const Digest kOne = sha256(as_bytes("one")), kTwo = sha256(as_bytes("two"));

TEST(RpcConvert, DigestsComeBackAsTheyWent) {
  EXPECT_EQ(*digest_from_proto(to_proto(kOne)), kOne);
  EXPECT_EQ(*optional_digest_from_proto(to_proto(std::optional(kOne))), kOne);
  EXPECT_EQ(*optional_digest_from_proto(to_proto(std::optional<Digest>())), std::nullopt);
  const std::vector<Digest> both = {kOne, kTwo};
  EXPECT_EQ(*digests_from_proto(to_proto(both), 2), both);
}

TEST(RpcConvert, RefusesDigestsOfAnyOtherLength) {
  for (const std::size_t size : {0, 1, 31, 33, 64}) {
    const std::string bytes(size, 'x');
    EXPECT_EQ(digest_from_proto(bytes).error().code, Errc::invalid) << size;
    if (size == 0) continue;  // none
    EXPECT_EQ(optional_digest_from_proto(bytes).error().code, Errc::invalid) << size;
  }
}

TEST(RpcConvert, RefusesListsThatAreEmptyCutTooLongOrNameOneTwice) {
  const std::vector<Digest> both = {kOne, kTwo};
  const std::string good = to_proto(both);
  for (const std::string& bytes : {std::string(), good.substr(0, 63), good + "x", good + good})
    EXPECT_EQ(digests_from_proto(bytes, 4).error().code, Errc::invalid) << bytes.size();
  EXPECT_EQ(digests_from_proto(good, 1).error().code, Errc::invalid);
  EXPECT_THAT(digests_from_proto(good + good, 4).error().what, HasSubstr("named twice"));
}

TEST(RpcConvert, DocumentsComeBackAsTheKindTheyWent) {
  const SigningKey key = SigningKey::generate();
  for (const DocumentKind kind :
       {DocumentKind::release, DocumentKind::desired_state, DocumentKind::ready}) {
    const SignedDocument document = key.sign(kind, to_bytes("text"));
    const v1::SignedDocument message = to_proto(kind, document);
    EXPECT_EQ(*from_proto(kind, message), document);
    for (const DocumentKind other :
         {DocumentKind::release, DocumentKind::desired_state, DocumentKind::ready})
      if (other != kind) {
        EXPECT_EQ(from_proto(other, message).error().code, Errc::invalid);
      }
  }
}

TEST(RpcConvert, RefusesDocumentsOfAnotherShape) {
  const v1::SignedDocument good =
      to_proto(DocumentKind::ready, SigningKey::generate().sign(DocumentKind::ready, {1}));
  const auto refusal = [](const v1::SignedDocument& message) {
    const auto document = from_proto(DocumentKind::ready, message);
    EXPECT_FALSE(document);
    return document ? Error{} : document.error();
  };
  v1::SignedDocument bad = good;
  bad.set_kind(static_cast<v1::DocumentKind>(99));
  EXPECT_EQ(refusal(bad).code, Errc::invalid);
  for (const std::size_t size : {0, 63, 65}) {
    bad = good;
    bad.set_signature(std::string(size, 's'));
    EXPECT_THAT(refusal(bad).what, HasSubstr("signature"));
  }
  bad = good;
  bad.clear_document();
  EXPECT_EQ(refusal(bad).code, Errc::invalid);
  bad.set_document(std::string(kSignedDocumentBytesMax + 1, 'd'));
  EXPECT_EQ(refusal(bad).code, Errc::invalid);
}

TEST(RpcConvert, TimesStayWithinFourDigitYears) {
  const WallTime now(Seconds(1'790'000'000));
  EXPECT_EQ(time_from_proto(to_proto_ms(now)), now);
  EXPECT_EQ(time_from_proto(-5), WallTime{});
  EXPECT_EQ(to_iso8601(time_from_proto(std::numeric_limits<std::int64_t>::max())),
            "9999-12-31T23:59:59Z");
}

TEST(RpcConvert, TextIsCutAndMadePrintable) {
  EXPECT_EQ(text_from_proto("café", 100), "café");
  EXPECT_EQ(text_from_proto(std::string(100, 'a'), 10), std::string(10, 'a'));
  for (const char* text : {"two\nlines", "\x1b[31m", "bad \xc3", "del\x7f"}) {
    const std::string made = text_from_proto(text, 100);
    EXPECT_TRUE(is_utf8(made)) << made;
    EXPECT_EQ(made.find_first_of("\n\x1b\x7f"), std::string::npos) << made;
  }
  // Cut in the middle of a letter: still UTF-8.
  EXPECT_TRUE(is_utf8(text_from_proto("caf\xc3\xa9", 4)));
}

}  // namespace
}  // namespace farboot
