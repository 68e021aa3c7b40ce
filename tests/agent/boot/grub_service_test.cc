// What a machine is told that speaks GRUB: the same decisions, put into GRUB's words.
#include <gtest/gtest.h>

#include "tests/agent/boot/boot_service_fixture.h"

namespace farboot {
namespace {

class GrubServiceTest : public BootServiceTest {
 protected:
  Result<std::string> grub(const std::string& below, GrubRoot root = GrubRoot::tftp,
                           Asking asking = Asking::get, std::string client = "10.4.0.31") {
    auto asked = parse_grub_path("boot/" + below + ".grub");
    EXPECT_TRUE(asked) << below;
    return bench->run(
        boot->grub_script(std::move(*asked), std::move(client), kServer, root, asking));
  }
  std::string token_of(const std::string& text) {
    std::smatch found;
    return std::regex_search(text, found, std::regex("/ks/([0-9a-f]{32})")) ? found[1].str() : "";
  }

  const std::string kArmed = "52:54:00:00:00:01/none/x86_64-efi";
  const std::string kStranger = "52:54:00:00:00:99/none/x86_64-efi";
};

TEST_F(GrubServiceTest, StartsTheInstallThatIsOrdered) {
  apply({web1()});
  const auto head = grub(kArmed, GrubRoot::tftp, Asking::head);
  ASSERT_TRUE(head);
  EXPECT_FALSE(bench->book->attempt(token_of(*head)).attempt) << "HEAD begins nothing";
  const auto told = grub(kArmed);
  ASSERT_TRUE(told);
  EXPECT_TRUE(bench->book->attempt(token_of(*told)).attempt) << *told;
  EXPECT_EQ(told->size(), head->size());
  EXPECT_EQ(token_of(*grub(kArmed)), token_of(*told)) << "asked again, it goes on";
}

/// As GRUB writes paths: escaped in URLs, as they are called by TFTP.
TEST_F(GrubServiceTest, NamesFilesTheWayTheyAreAskedFor) {
  Release release = testing::centos_release(7, bench->put_tree(10));
  release.images[0].facts.kernel = "images/pxe boot/vmlinuz";
  bench->activate(release);
  EXPECT_NE(grub(kStranger + "/centos7", GrubRoot::tftp)->find("pxe boot/vmlinuz'"),
            std::string::npos);
  EXPECT_NE(grub(kStranger + "/centos7", GrubRoot::http)->find("pxe%20boot/vmlinuz'"),
            std::string::npos);
}

/// What goes there is its progress.
TEST_F(GrubServiceTest, KnowsWhereItsMachineAskedFrom) {
  apply({web1()});
  ASSERT_TRUE(grub(kArmed));
  EXPECT_EQ(bench->book->clients().at("52:54:00:00:00:01"), "10.4.0.31");
}

TEST_F(GrubServiceTest, OffersItsMenuToStrangers) {
  const auto menu = grub(kStranger);
  ASSERT_TRUE(menu);
  EXPECT_NE(menu->find("menuentry "), std::string::npos) << *menu;
  EXPECT_EQ(grub(kStranger + "/nobody").error().code, Errc::not_found);
  EXPECT_NE(boot->grub_first("http://10.4.0.2:8080").find("'(http,10.4.0.2:8080)'"),
            std::string::npos);
}

TEST_F(GrubServiceTest, KnowsAHostByItsSerialNumberAlone) {
  HostSpec host = web1();
  host.macs.clear();
  host.uuid.clear();
  host.serial = "CZ1234ABCD";
  apply({host});
  const auto stranger = grub("52:54:00:00:00:99/none/x86_64-efi");
  ASSERT_TRUE(stranger);
  EXPECT_EQ(token_of(*stranger), "") << *stranger;
  const auto told = grub("52:54:00:00:00:99/none~CZ1234ABCD/x86_64-efi");
  ASSERT_TRUE(told);
  EXPECT_TRUE(bench->book->attempt(token_of(*told)).attempt) << *told;
}

/// It would be lost for nothing: only iPXE starts WinPE.
TEST_F(GrubServiceTest, UsesUpNoOrderThatItCannotCarryOut) {
  activate_winpe();
  for (const Asking asking : {Asking::head, Asking::get}) {
    const auto told = grub(kStranger + "/winpe", GrubRoot::http, asking);
    ASSERT_TRUE(told);
    EXPECT_NE(told->find("needs iPXE"), std::string::npos) << *told;
  }
  EXPECT_FALSE(bench->book->clients().contains("52:54:00:00:00:99"));
  ASSERT_TRUE(choose("winpe", machine("52:54:00:00:00:99")));
  EXPECT_TRUE(bench->book->clients().contains("52:54:00:00:00:99")) << "by iPXE it begins";
}

/// A person said yes once, and then it had to wait: nobody is asked again.
TEST_F(GrubServiceTest, AConfirmedInstallThatMustWaitStaysConfirmed) {
  DesiredState desired = lyon({web1()});
  desired.limits.installs_at_once_max = 1;
  ASSERT_TRUE(bench->run(bench->book->apply(desired)));
  ASSERT_FALSE(token_in(script()).empty());
  const auto waits = grub(kStranger + "/centos7~again", GrubRoot::tftp, Asking::get, "10.4.0.99");
  ASSERT_TRUE(waits);
  EXPECT_NE(waits->find("set farboot_next=\"${farboot_dir}\"'/centos7~again.grub'\n"),
            std::string::npos)
      << *waits;
  const auto ipxe = choose("centos7~again", machine("52:54:00:00:00:99", "10.4.0.99"));
  ASSERT_TRUE(ipxe);
  EXPECT_NE(ipxe->find("&entry=centos7~again ||"), std::string::npos) << *ipxe;
}

}  // namespace
}  // namespace farboot
