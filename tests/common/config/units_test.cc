#include "common/config/units.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(ByteSize, ReadsDecimalAndBinaryUnits) {
  EXPECT_EQ(*parse_byte_size("80GB"), 80'000'000'000u);
  EXPECT_EQ(*parse_byte_size("512MiB"), 512u << 20);
  EXPECT_EQ(*parse_byte_size("512 mib"), 512u << 20);
  EXPECT_EQ(*parse_byte_size("1kb"), 1000u);
  EXPECT_EQ(*parse_byte_size("1024"), 1024u);
  EXPECT_EQ(*parse_byte_size("0B"), 0u);
}

TEST(ByteSize, RefusesWhatIsNone) {
  for (const char* text : {"", "GB", "-1", "1.5GB", "1XB", "1GB2", "10000000TB", "1 GB ", "0x10"}) {
    EXPECT_FALSE(parse_byte_size(text)) << text;
  }
}

TEST(ByteSize, IsReadBackAsWritten) {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{1024},
        std::uint64_t{1536} << 20, std::uint64_t{80'000'000'000}, std::uint64_t{12'345'678}}) {
    EXPECT_EQ(*parse_byte_size(format_byte_size(bytes)), bytes) << format_byte_size(bytes);
  }
  EXPECT_EQ(format_byte_size(512u << 20), "512MiB");
}

TEST(Duration, ReadsUnitsAndTheirSums) {
  EXPECT_EQ(*parse_duration("500ms"), Milliseconds(500));
  EXPECT_EQ(*parse_duration("10s"), Seconds(10));
  EXPECT_EQ(*parse_duration("1h30m"), Seconds(5400));
  EXPECT_EQ(*parse_duration("7d"), Seconds(7 * 86400));
  EXPECT_EQ(*parse_duration("0s"), Seconds(0));
}

TEST(Duration, RefusesWhatDoesNotSayOfWhat) {
  for (const char* text : {"", "10", "s", "-1s", "1.5s", "1y", "1h 30", "99999999999999999999s",
                           "106751991167300d1000000000000d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, IsReadBackAsWritten) {
  for (const std::int64_t ms : {0, 1, 999, 1000, 61'001, 86'400'000, 90'000'000}) {
    EXPECT_EQ(*parse_duration(format_duration(Milliseconds(ms))), Milliseconds(ms));
  }
  EXPECT_EQ(format_duration(Seconds(5400)), "1h30m");
}

}  // namespace
}  // namespace farboot
