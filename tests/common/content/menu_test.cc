#include "common/content/menu.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

TEST(Menu, AsLinesHasEveryMenusNameOrTitle) {
  const std::vector<MenuItem> items{"c7", "-", MenuItem::menu("tools", "", {"memtest"}),
                                    MenuItem::menu("win", "Windows", {"pe"})};
  EXPECT_EQ(flat_lines(items),
            (std::vector<std::string>{"c7", "-", "- tools", "memtest", "- Windows", "pe"}));
}

}  // namespace
}  // namespace farboot
