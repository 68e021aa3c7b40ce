#include "agent/tftp/netascii.h"

#include <gtest/gtest.h>

#include "tests/support/fake_tftp_file.h"
#include "tests/support/run_task.h"

namespace farboot {
namespace {

std::string netascii(std::string_view text) {
  const Bytes out = to_netascii(as_bytes(text));
  return std::string(as_text(out));
}

/// As a client does.
Bytes undone(ByteView text) {
  Bytes out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pair = text[i] == '\r' && i + 1 < text.size();
    if (pair && text[i + 1] == '\n') continue;
    out.push_back(text[i]);
    if (pair && text[i + 1] == '\0') ++i;
  }
  return out;
}

TEST(Netascii, EndsLinesInTwoBytes) {
  EXPECT_EQ(netascii(""), "");
  EXPECT_EQ(netascii("a\nb\n"), "a\r\nb\r\n");
  EXPECT_EQ(netascii("\n\n"), "\r\n\r\n");
}

TEST(Netascii, MarksTheReturnsOfTheTextItself) {
  EXPECT_EQ(netascii("a\rb"), std::string("a\r\0b", 4));
  EXPECT_EQ(netascii("a\r\n"), std::string("a\r\0\r\n", 5));
  EXPECT_EQ(netascii("\r"), std::string("\r\0", 2));
}

TEST(Netascii, LosesNothing) {
  const Bytes all = FakeTftpFile::bytes_of(200'000);
  EXPECT_EQ(undone(to_netascii(all)), all);
}

TEST(Netascii, IsReadFromAnyPlace) {
  const Bytes all = to_netascii(FakeTftpFile::bytes_of(5000));
  auto file = run_task(as_netascii(std::make_unique<FakeTftpFile>(5000)));
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ((*file)->size_bytes(), all.size());
  EXPECT_EQ(*run_task((*file)->read(0, 10'000)), all);
  EXPECT_EQ(*run_task((*file)->read(17, 3)), Bytes(all.begin() + 17, all.begin() + 20));
  EXPECT_EQ(run_task((*file)->read(all.size(), 3))->size(), 0U);
}

TEST(Netascii, IsForTextsOnly) {
  EXPECT_TRUE(run_task(as_netascii(std::make_unique<FakeTftpFile>(kNetasciiBytesMax))));
  auto large = run_task(as_netascii(std::make_unique<FakeTftpFile>(kNetasciiBytesMax + 1)));
  EXPECT_EQ(large.error().code, Errc::invalid);
}

TEST(Netascii, TellsThatTheFileCannotBeRead) {
  auto file = std::make_unique<FakeTftpFile>(1000);
  file->fails_at = 500;
  EXPECT_EQ(run_task(as_netascii(std::move(file))).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace farboot
