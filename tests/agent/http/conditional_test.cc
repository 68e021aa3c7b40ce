#include "agent/http/conditional.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

const WallTime kExample{Seconds(784'111'777)};  // RFC 9110 §5.6.7
const Validators kFile{"\"abc\"", kExample + Milliseconds(250)};

TEST(HttpDate, IsWrittenAsTheRfcDoes) {
  EXPECT_EQ(http_date(kExample), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(WallTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(HttpDate, IsReadInAllThreeForms) {
  for (const auto* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text), kExample) << text;
  }
}

TEST(HttpDate, RefusesWhatIsNoDate) {
  for (const auto* text :
       {"", "now", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 99999 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun Nov"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(Conditional, FollowsTheRfcsOrder) {
  const std::string date = http_date(kExample);
  const std::string before = http_date(kExample - Seconds(1));
  const std::string after = http_date(kExample + Seconds(1));
  struct Case {
    Conditions conditions;
    Precondition wanted;
  };
  const Case cases[] = {
      {{}, Precondition::proceed},
      {{.if_none_match = "\"abc\""}, Precondition::not_modified},
      {{.if_none_match = "W/\"abc\""}, Precondition::not_modified},
      {{.if_none_match = "\"x\", \"abc\""}, Precondition::not_modified},
      {{.if_none_match = "*"}, Precondition::not_modified},
      {{.if_none_match = "\"x\""}, Precondition::proceed},
      {{.if_none_match = "abc"}, Precondition::proceed},
      {{.if_none_match = "\"x\"", .if_modified_since = date}, Precondition::proceed},
      {{.if_modified_since = date}, Precondition::not_modified},
      {{.if_modified_since = after}, Precondition::not_modified},
      {{.if_modified_since = before}, Precondition::proceed},
      {{.if_modified_since = "yesterday"}, Precondition::proceed},
      {{.if_match = "\"abc\""}, Precondition::proceed},
      {{.if_match = "*"}, Precondition::proceed},
      {{.if_match = "W/\"abc\""}, Precondition::failed},
      {{.if_match = "\"x\""}, Precondition::failed},
      {{.if_unmodified_since = before}, Precondition::failed},
      {{.if_unmodified_since = date}, Precondition::proceed},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(evaluate(c.conditions, kFile), c.wanted)
        << c.conditions.if_match << c.conditions.if_none_match << c.conditions.if_modified_since
        << c.conditions.if_unmodified_since;
  }
}

TEST(Conditional, ComparesIfRangeStrongly) {
  EXPECT_TRUE(range_applies("", kFile));
  EXPECT_TRUE(range_applies("\"abc\"", kFile));
  EXPECT_TRUE(range_applies(http_date(kExample), kFile));
  EXPECT_FALSE(range_applies("W/\"abc\"", kFile));
  EXPECT_FALSE(range_applies("\"x\"", kFile));
  EXPECT_FALSE(range_applies(http_date(kExample + Seconds(1)), kFile));
  EXPECT_FALSE(range_applies("nonsense", kFile));
}

TEST(Conditional, KnowsNoDateOfWhatHasNone) {
  const Validators undated{"\"abc\"", WallTime{}};
  EXPECT_EQ(evaluate({.if_modified_since = http_date(kExample)}, undated), Precondition::proceed);
  EXPECT_FALSE(range_applies("Thu, 01 Jan 1970 00:00:00 GMT", undated));
}

}  // namespace
}  // namespace farboot
