#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace farboot {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Errc::invalid, "number {}: odd", value);
  return value / 2;
}

TEST(Result, CarriesValueOrError) {
  EXPECT_EQ(*half(8), 4);
  auto odd = half(7);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Errc::invalid);
  EXPECT_EQ(prefix("sum", odd.error()).what, "sum: number 7: odd");
}

TEST(Printable, EscapesWhatWouldBreakALogLine) {
  EXPECT_EQ(printable("a\nb\"c\\"), "a\\x0ab\\x22c\\x5c");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(printable("\xff\xc0\x80"), "\\xff\\xc0\\x80");
  EXPECT_EQ(printable(std::string(500, 'x'), 4), "xxxx...");
}

TEST(Utf8, FollowsRfc3629) {
  EXPECT_TRUE(is_utf8("\xf0\x9f\x98\x80"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // a surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  EXPECT_FALSE(is_utf8("\xe2\x82"));          // cut short
}

TEST(Clock, PrintsIso8601) {
  EXPECT_EQ(to_iso8601(WallTime(Milliseconds(1500))), "1970-01-01T00:00:01Z");
}

TEST(Guarded, GivesTheLambdasValueBack) {
  Guarded<int> number(41);
  EXPECT_EQ(number.with([](int& n) { return ++n; }), 42);
}

TEST(UniqueFd, ClosesOnce) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd reader(ends[0]);
  { const UniqueFd writer(ends[1]); }
  char byte;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0);  // end of file: the writer is closed
}

}  // namespace
}  // namespace farboot
