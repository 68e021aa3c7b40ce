#include "common/wire/http_range.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace farboot::http_range {
namespace {

using testing::ElementsAre;

std::vector<Range> ranges(std::string_view header, std::uint64_t size_bytes) {
  const Parsed parsed = parse(header, size_bytes);
  EXPECT_EQ(parsed.answer, Answer::ranges) << header;
  return parsed.ranges;
}

TEST(HttpRange, TakesTheThreeForms) {
  EXPECT_THAT(ranges("bytes=0-499", 1000), ElementsAre(Range{0, 499}));
  EXPECT_THAT(ranges("bytes=500-", 1000), ElementsAre(Range{500, 999}));
  EXPECT_THAT(ranges("bytes=-1", 1000), ElementsAre(Range{999, 999}));
  EXPECT_THAT(ranges("bytes=0-0", 1), ElementsAre(Range{0, 0}));
  EXPECT_THAT(ranges(" Bytes= 7-8 ", 1000), ElementsAre(Range{7, 8}));
}

TEST(HttpRange, ClampsToTheFile) {
  EXPECT_THAT(ranges("bytes=10-99999", 100), ElementsAre(Range{10, 99}));
  EXPECT_THAT(ranges("bytes=-99999", 100), ElementsAre(Range{0, 99}));
  EXPECT_THAT(ranges("bytes=1-99999999999999999999999999", 100), ElementsAre(Range{1, 99}));
  EXPECT_THAT(ranges("bytes=-18446744073709551616", 100), ElementsAre(Range{0, 99}));
}

TEST(HttpRange, RefusesWhatBeginsBehindTheEnd) {
  for (const char* header : {"bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,200-300",
                             "bytes=99999999999999999999-99999999999999999999"})
    EXPECT_EQ(parse(header, 100).answer, Answer::unsatisfiable) << header;
  EXPECT_EQ(parse("bytes=0-", 0).answer, Answer::unsatisfiable);
}

TEST(HttpRange, IgnoresWhatItDoesNotUnderstand) {
  for (const char* header :
       {"", "bytes", "bytes=", "bytes= , ,", "items=0-5", "bytes=5-4", "bytes=a-b", "bytes=1",
        "bytes=-", "bytes=--1", "bytes=0-1-2", "bytes=0x1-5", "bytes=+1-5", "bytes=1 -5",
        "bytes=0-5,x", "bytes:0-5", "0-5"})
    EXPECT_EQ(parse(header, 100).answer, Answer::whole) << header;
}

TEST(HttpRange, SuffixOfAnEmptyFileIsTheEmptyFile) {
  EXPECT_EQ(parse("bytes=-5", 0).answer, Answer::whole);
}

TEST(HttpRange, KeepsTheClientsOrder) {
  EXPECT_THAT(ranges("bytes=50-59, 0-9,,20-29", 100),
              ElementsAre(Range{50, 59}, Range{0, 9}, Range{20, 29}));
}

TEST(HttpRange, DropsOnlyTheUnsatisfiableItems) {
  EXPECT_THAT(ranges("bytes=500-600,0-1", 100), ElementsAre(Range{0, 1}));
}

TEST(HttpRange, MergesWhatOverlapsOrTouches) {
  EXPECT_THAT(ranges("bytes=50-59,0-9,5-20,60-69", 100), ElementsAre(Range{50, 69}, Range{0, 20}));
  EXPECT_THAT(ranges("bytes=0-,0-,0-,1-,2-", 100), ElementsAre(Range{0, 99}));
  EXPECT_THAT(ranges("bytes=0-99,10-20", 100), ElementsAre(Range{0, 99}));
}

TEST(HttpRange, AnswersZchunksManyAndRefusesMore) {
  std::string header = "bytes=0-0";
  for (std::size_t i = 1; i < kRangesMax; ++i)
    header += "," + std::to_string(3 * i) + "-" + std::to_string(3 * i);
  EXPECT_EQ(ranges(header, 10'000).size(), kRangesMax);
  EXPECT_EQ(parse(header + ",9000-9001", 10'000).answer, Answer::whole);
}

TEST(HttpRange, CountsSizesBeyond32Bits) {
  const auto one = ranges("bytes=8589934592-", 10'000'000'000);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].size_bytes(), 10'000'000'000 - 8589934592);
}

}  // namespace
}  // namespace farboot::http_range
