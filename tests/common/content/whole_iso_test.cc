#include "common/content/whole_iso.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

ImageFacts facts(std::string family, std::string kernel, std::string stage2 = "") {
  ImageFacts out;
  out.family = std::move(family);
  out.kernel = std::move(kernel);
  out.stage2 = std::move(stage2);
  return out;
}

TEST(WholeIso, IsMissedWhereTheInstallerStartsFromIt) {
  EXPECT_TRUE(lacks_its_iso(facts("ubuntu", "casper/vmlinuz")));
  EXPECT_FALSE(lacks_its_iso(facts("ubuntu", "casper/vmlinuz", "ubuntu.iso")));
  EXPECT_FALSE(lacks_its_iso(facts("ubuntu", "ubuntu-installer/amd64/linux")))
      << "its netboot image";
  EXPECT_FALSE(lacks_its_iso(facts("debian", "casper/vmlinuz")));
}

}  // namespace
}  // namespace farboot
