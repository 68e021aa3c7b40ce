#include "common/store/open_packs.h"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

class OpenPacksTest : public ::testing::Test {
 protected:
  std::shared_ptr<PackFile> make(std::uint32_t number) {
    return std::move(*PackFile::create(folder_ / std::to_string(number)));
  }

  TempFolder folder_;
  OpenPacks packs_;
};

TEST_F(OpenPacksTest, WhatIsRemovedEndsWithWhoRemovedIt) {
  EXPECT_TRUE(packs_.add(1, make(1)).empty());
  EXPECT_TRUE(packs_.add(2, make(2)).empty());
  const OpenPacks::Gone gone = packs_.remove(1);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone.front().second.use_count(), 1) << "the last reference, outside the lock";
  EXPECT_EQ(packs_.find(1), nullptr);
  EXPECT_NE(packs_.find(2), nullptr);
  EXPECT_TRUE(packs_.remove(1).empty());
}

TEST_F(OpenPacksTest, WhatWasNotUsedForLongestMakesRoom) {
  for (std::uint32_t number = 1; number <= OpenPacks::kOpenMax; ++number)
    EXPECT_TRUE(packs_.add(number, make(number)).empty());
  EXPECT_NE(packs_.find(1), nullptr);
  const OpenPacks::Gone gone = packs_.add(1000, make(1000));
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone.front().first, 2U);
  EXPECT_EQ(gone.front().second.use_count(), 1);
  EXPECT_NE(packs_.find(1), nullptr);
  EXPECT_EQ(packs_.find(2), nullptr);
}

}  // namespace
}  // namespace farboot
