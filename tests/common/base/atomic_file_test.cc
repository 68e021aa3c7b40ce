#include "common/base/atomic_file.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

class AtomicFile : public ::testing::Test {
 protected:
  TempFolder folder_;
};

TEST_F(AtomicFile, ReplacesTheContentAndLeavesNothingElse) {
  const auto path = folder_ / "key.pem";
  ASSERT_TRUE(write_file_atomically(path, as_bytes("first, and longer"), 0600));
  ASSERT_TRUE(write_file_atomically(path, as_bytes("second"), 0600));
  const auto text = read_file(path, 100);
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_EQ(*text, "second");
  struct stat facts {};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(AtomicFile, ALeftoverOfAKilledWriterDoesNotMatter) {
  const auto path = folder_ / "key.pem";
  ASSERT_TRUE(write_file_atomically(path.string() + ".new", as_bytes("half"), 0644));
  ASSERT_TRUE(write_file_atomically(path, as_bytes("whole"), 0600));
  EXPECT_EQ(*read_file(path, 100), "whole");
}

TEST_F(AtomicFile, SaysWhatIsWrong) {
  EXPECT_EQ(read_file(folder_ / "none", 10).error().code, Errc::not_found);
  ASSERT_TRUE(write_file_atomically(folder_ / "long", as_bytes("0123456789x"), 0600));
  EXPECT_EQ(read_file(folder_ / "long", 10).error().code, Errc::exhausted);
  EXPECT_EQ(write_file_atomically(folder_.path() / "no" / "x", as_bytes("x"), 0600).error().code,
            Errc::not_found);
}

}  // namespace
}  // namespace farboot
