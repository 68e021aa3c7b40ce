#include "agent/http/routes.h"

#include <gtest/gtest.h>

namespace farboot {
namespace {

const std::string kHex(64, 'a');

Route routed(std::string_view target) {
  auto parsed = parse_target(target);
  EXPECT_TRUE(parsed) << target;
  return parsed ? find_route(*parsed) : Route();
}

/// `kind name path` of a target.
std::string shown(std::string_view target) {
  const Route route = routed(target);
  std::string text(to_string(route.kind));
  if (!route.name.empty()) text += " name=" + route.name;
  if (!route.path.empty()) text += " path=" + route.path;
  return text;
}

/// What signed GRUBs look for in Debian 12 and 13, Fedora and openSUSE. What they test for before
/// the one they mean has to be missing.
TEST(Routes, HaveAScriptInPlaceOfWhatLoadersAskForThemselves) {
  const auto instead = [](const char* target) { return script_instead(routed(target)); };
  EXPECT_EQ(instead("/autoexec.ipxe"), RouteKind::first_script);
  EXPECT_EQ(instead("/efi/autoexec.ipxe"), std::nullopt);
  for (const char* path :
       {"/grub/grub.cfg", "//grub/grub.cfg", "/grub.cfg", "/shim/grub.cfg", "/boot/grub/grub.cfg",
        "/EFI/fedora/grub.cfg", "/debian-installer/amd64/grub/grub.cfg"})
    EXPECT_EQ(instead(path), RouteKind::grub_first) << path;
  for (const char* path :
       {"/grub/x86_64-efi/grub.cfg", "/grub/arm64-efi/grub.cfg", "/grub/i386-pc/grub.cfg",
        "/grub/grub.cfg-amd64", "/grub/grub.cfg-01-52-54-00-aa-bb-cc", "/grub/grub.cfg-0A040015",
        "/grub/x86_64-efi/command.lst", "/grub/mygrub.cfg", "/grub/grub.cfg/x", "/a/grub.cfg",
        "/images/centos7/EFI/BOOT/grub.cfg", "/ks/grub.cfg"})
    EXPECT_EQ(instead(path), std::nullopt) << path;
}

TEST(Routes, FindWhoAnswers) {
  const std::pair<std::string, std::string> cases[] = {
      {"/", "status_page"},
      {"/boot.ipxe", "first_script"},
      {"/boot.ipxe/", "none"},
      {"/boot/52:54:00:AA:bb:cc.ipxe?uuid=1", "machine_script name=52:54:00:aa:bb:cc"},
      {"/boot/52-54-00-aa-bb-cc.ipxe", "machine_script name=52:54:00:aa:bb:cc"},
      {"/boot/52%3A54%3A00%3Aaa%3Abb%3Acc.ipxe", "machine_script name=52:54:00:aa:bb:cc"},
      {"/boot/nonsense.ipxe", "loader path=boot/nonsense.ipxe"},
      {"/boot/52:54:00:AA:bb:cc/none/x86_64-efi.grub",
       "grub_script name=52:54:00:aa:bb:cc path=boot/52:54:00:AA:bb:cc/none/x86_64-efi.grub"},
      {"/boot/52-54-00-aa-bb-cc/4c/i386-pc/a%7Eagain.grub",
       "grub_script name=52:54:00:aa:bb:cc path=boot/52-54-00-aa-bb-cc/4c/i386-pc/a~again.grub"},
      {"/boot/52:54:00:aa:bb:cc/none~CZ1/x86_64-efi.grub",
       "grub_script name=52:54:00:aa:bb:cc path=boot/52:54:00:aa:bb:cc/none~CZ1/x86_64-efi.grub"},
      {"/boot/nobody/none/x86_64-efi.grub", "loader path=boot/nobody/none/x86_64-efi.grub"},
      {"/grub/grub.cfg", "loader path=grub/grub.cfg"},
      {"/boot/52:54:00:aa:bb:cc", "loader path=boot/52:54:00:aa:bb:cc"},
      {"/boot/52:54:00:aa:bb:cc.ipxe/x", "loader path=boot/52:54:00:aa:bb:cc.ipxe/x"},
      {"/boot/grub/x86_64-efi/tftp.mod", "loader path=boot/grub/x86_64-efi/tftp.mod"},
      {"/boot", "loader path=boot"},
      {"/boot/", "none"},
      {"/t/" + kHex + "/images/pxeboot/vmlinuz", "tree path=images/pxeboot/vmlinuz"},
      {"/t/" + kHex + "//.treeinfo", "tree path=.treeinfo"},
      {"/t/" + kHex + "/BaseOS/os/../../AppStream/x", "tree path=AppStream/x"},
      {"/t/" + kHex, "none"},
      {"/t/" + kHex + "/", "none"},
      {"/t/" + kHex + "/images/", "none"},
      {"/t/" + kHex.substr(1) + "/x", "none"},
      {"/t/", "none"},
      {"/images/centos7/.treeinfo", "image name=centos7 path=.treeinfo"},
      {"/images/centos7@1708/a/b", "image name=centos7@1708 path=a/b"},
      {"/images/centos7%401708/a", "image name=centos7@1708 path=a"},
      {"/images/centos7", "none"},
      {"/ks/token", "kickstart name=token"},
      {"/ks/", "none"},
      {"/ks/a/b", "none"},
      {"/ks/token/user-data", "kickstart name=token/user-data"},
      {"/ks/token/meta-data", "kickstart name=token/meta-data"},
      {"/ks/token//vendor-data", "kickstart name=token/vendor-data"},
      {"/ks/token/user-data/x", "none"},
      {"/ks/token/network-config", "none"},
      {"/ks/user-data", "kickstart name=user-data"},
      {"/a/bg.png", "asset path=bg.png"},
      {"/a/dir/x", "asset path=dir/x"},
      {"/a", "none"},
      {"/v1/health", "health"},
      {"/v1/health/x", "none"},
      {"/v1/metrics", "metrics"},
      {"/v1/event/token?event=installed", "event name=token"},
      {"/v1/event", "none"},
      {"/v1/other", "none"},
      {"/undionly.kpxe", "loader path=undionly.kpxe"},
      {"/efi/x64/snponly.efi", "loader path=efi/x64/snponly.efi"},
  };
  for (const auto& [target, wanted] : cases) EXPECT_EQ(shown(target), wanted) << target;
}

TEST(Routes, KnowTheTreeByEitherCase) {
  EXPECT_EQ(routed("/t/" + std::string(64, 'A') + "/x").tree, routed("/t/" + kHex + "/x").tree);
}

TEST(Routes, HaveTypesThatFirmwareTakes) {
  EXPECT_EQ(media_type("BOOTX64.EFI"), "application/efi");
  EXPECT_EQ(media_type("a/boot.iso"), "application/vnd.efi-iso");
  EXPECT_EQ(media_type("images/install.img"), "application/vnd.efi-img");
  EXPECT_EQ(media_type("x.ks"), "text/plain; charset=utf-8");
  EXPECT_EQ(media_type("repodata/primary.xml.gz"), "application/octet-stream");
  EXPECT_EQ(media_type("images/pxeboot/vmlinuz"), "application/octet-stream");
}

TEST(Routes, SayTryAgainOnlyWhereItMayHeal) {
  EXPECT_EQ(http_status(Errc::not_found), 404);
  EXPECT_EQ(http_status(Errc::unavailable), 503);
  EXPECT_EQ(http_status(Errc::denied), 403);
  EXPECT_EQ(http_status(Errc::internal), 500);
}

}  // namespace
}  // namespace farboot
