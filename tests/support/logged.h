// The lines a test's subject writes to the log.
#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace farboot::testing {

/// Takes stderr for as long as it lives.
class Logged {
 public:
  Logged() { ::testing::internal::CaptureStderr(); }
  ~Logged() { ::testing::internal::GetCapturedStderr(); }
  Logged(const Logged&) = delete;
  Logged& operator=(const Logged&) = delete;

  /// All lines since the last call.
  std::string take() {
    std::string lines = ::testing::internal::GetCapturedStderr();
    ::testing::internal::CaptureStderr();
    return lines;
  }
  /// How many of them are of `event`.
  static int count(std::string_view lines, std::string_view event) {
    const std::string mark = "event=" + std::string(event) + " ";
    int found = 0;
    for (std::size_t at = lines.find(mark); at != std::string_view::npos;
         at = lines.find(mark, at + mark.size()))
      ++found;
    return found;
  }
};

}  // namespace farboot::testing
