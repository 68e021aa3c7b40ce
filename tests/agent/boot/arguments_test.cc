#include "agent/boot/arguments.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace farboot {
namespace {

Image image_of(std::string family, std::string version, std::string stage2, std::string repo = "") {
  Image image;
  image.name = family;
  image.tag = version;
  image.facts = {std::move(family), "", std::move(version), "x86_64", "k", "i", std::move(stage2),
                 std::move(repo)};
  return image;
}

ArgumentFacts facts() {
  return {"http://10.4.0.2/t/00ff",
          "http://10.4.0.2/ks/0123",
          "52:54:00:00:00:01",
          "web1",
          "lyon.test",
          true};
}

TEST(FamilyArguments, AreTheGoldenOnes) {
  const std::string t = "LiveOS/squashfs.img";
  ArgumentFacts no_kickstart = facts();
  no_kickstart.kickstart_url.clear();
  ArgumentFacts nobody = facts();
  nobody.host_name.clear();
  nobody.domain.clear();
  ArgumentFacts undescribed = facts();
  undescribed.tree_described = false;
  std::string out;
  const auto add = [&](std::string_view what, const Image& image, std::string_view style,
                       const ArgumentFacts& with) {
    out += fmt::format("{}: {}\n", what, family_arguments(image, style, with, ""));
  };
  add("centos 7", image_of("redhat", "7", t), "inst", facts());
  add("centos 7 legacy", image_of("redhat", "7", t), "legacy", facts());
  add("centos 7 legacy, no kickstart", image_of("redhat", "7", t), "legacy", no_kickstart);
  add("rocky 9", image_of("redhat", "9.4", "images/install.img", "BaseOS"), "inst", facts());
  add("rocky 9, no kickstart", image_of("redhat", "9.4", "images/install.img", "BaseOS"), "",
      no_kickstart);
  add("bare repository", image_of("redhat", "8", "", "os"), "", undescribed);
  add("debian 12", image_of("debian", "12", ""), "", facts());
  add("debian 12, unknown machine", image_of("debian", "12", ""), "", nobody);
  add("debian 12, no preseed", image_of("debian", "12", ""), "", no_kickstart);
  add("ubuntu 24.04", image_of("ubuntu", "24.04", "ubuntu-24.04-live-server-amd64.iso"), "",
      facts());
  add("other", image_of("other", "1", ""), "", facts());
  expect_golden("ipxe/arguments.txt", out);
}

TEST(FamilyArguments, GiveWayToTheOperatorsOwn) {
  const Image image = image_of("redhat", "9", "images/install.img");
  const std::string given =
      family_arguments(image, "", facts(), "ip=eth1:dhcp inst.repo=http://mirror/ quiet");
  EXPECT_EQ(given,
            "inst.ks=http://10.4.0.2/ks/0123 inst.stage2=http://10.4.0.2/t/00ff "
            "BOOTIF=01-52-54-00-00-00-01 inst.ks.sendmac");
  EXPECT_EQ(family_arguments(image, "", facts(), "ks=x method=y stage2=z ip=dhcp ksdevice=eth0"),
            "inst.ks.sendmac");
  EXPECT_NE(family_arguments(image, "", facts(), "zip=1 inst.repository=2").find("ip=dhcp"),
            std::string::npos);
}

}  // namespace
}  // namespace farboot
