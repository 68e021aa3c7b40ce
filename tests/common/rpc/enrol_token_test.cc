#include "common/rpc/enrol_token.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

EnrolToken sample() {
  EnrolToken token;
  token.address = "controller.test:7443";
  token.site = "lyon";
  token.agent = "pi1";
  token.expires = WallTime(Seconds(1'790'000'000));
  token.ca_fingerprint = sha256(to_bytes("ca"));
  token.id = {1, 2, 3, 4, 5, 6, 7, 8};
  token.secret.fill(0xfe);
  return token;
}

TEST(EnrolToken, ComesBack) {
  const std::string text = encode_token(sample());
  EXPECT_EQ(text.substr(0, 4), "fb1.");
  EXPECT_LT(text.size(), 200u);
  const auto token = decode_token("  " + text + "\n");
  ASSERT_TRUE(token) << token.error().what;
  EXPECT_EQ(*token, sample());
}

TEST(EnrolToken, EveryDamageIsSeen) {
  const std::string text = encode_token(sample());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(decode_token(text.substr(0, size))) << size;
  for (std::size_t i = 4; i + 1 < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(decode_token(wrong)) << i;
  }
  EXPECT_FALSE(decode_token(text + "AAAA"));
  EXPECT_FALSE(decode_token("fb1."));
  EXPECT_FALSE(decode_token("hello"));
}

TEST(EnrolToken, AddressesAreHostAndPort) {
  for (const char* good : {"controller.test:7443", "198.18.0.1:1", "[2001:db8::1]:65535", "a:80"})
    EXPECT_TRUE(is_address(good)) << good;
  for (const char* bad : {"", ":7443", "host", "host:", "host:0", "host:65536", "host:12x",
                          "ho st:1", "host/x:1", "2001:db8::1:1:1", "[]:1", "host:-1"})
    EXPECT_FALSE(is_address(bad)) << bad;
}

}  // namespace
}  // namespace farboot
