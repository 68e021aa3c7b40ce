// Files in tests/golden that a test compares with; UPDATE_GOLDEN=1 writes them anew. Tests run in
// the top of the source tree.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/bytes.h"

namespace farboot::golden {

inline std::filesystem::path folder(std::string_view name) {
  return std::filesystem::path("tests/golden") / name;
}

/// The files of a folder with this ending, sorted, by their names without it.
inline std::vector<std::string> names(std::string_view in, std::string_view ending) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder(in))) {
    const std::string name = entry.path().filename();
    if (name.size() > ending.size() && name.ends_with(ending))
      found.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline Bytes read_hex(const std::filesystem::path& path) {
  Bytes bytes;
  int high = -1;
  for (const char c : read_text(path)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    if (high >= 0) bytes.push_back(static_cast<std::uint8_t>(high * 16 + digit));
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

inline std::string hex_lines(ByteView bytes) {
  constexpr std::size_t kLine = 32;
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += kLine)
    text += to_hex(bytes.subspan(at, std::min(kLine, bytes.size() - at))) + "\n";
  return text;
}

inline void expect(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    ASSERT_FALSE(error) << path.parent_path() << ": " << error.message();
    std::ofstream out(path, std::ios::binary);
    ASSERT_TRUE(out << text << std::flush) << path << ": cannot be written";
    return;
  }
  ASSERT_TRUE(std::filesystem::exists(path)) << path << ": UPDATE_GOLDEN=1 writes it";
  EXPECT_EQ(read_text(path), text) << path << ": UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace farboot::golden

namespace farboot {

/// `file`: below tests/golden/.
inline void expect_golden(const std::string& file, const std::string& text) {
  golden::expect(golden::folder(file), text);
}

}  // namespace farboot
