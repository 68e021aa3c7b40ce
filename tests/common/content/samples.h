// Documents the tests of this room share: every field set, so that a forgotten one shows.
#pragma once

#include "common/content/desired_state.h"
#include "common/content/manifest.h"
#include "common/content/release.h"

namespace farboot {

inline Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }

inline FileEntry file_of(std::string path, std::string_view text) {
  FileEntry file{.path = std::move(path), .size_bytes = text.size(), .sha256 = digest_of(text)};
  if (!text.empty()) file.chunks.push_back({file.sha256, static_cast<std::uint32_t>(text.size())});
  return file;
}

inline Manifest sample_manifest() {
  Manifest manifest;
  manifest.files.push_back(file_of(".treeinfo", "[general]\n"));
  manifest.files.push_back(file_of("EFI/empty", ""));
  FileEntry large{.path = "LiveOS/squashfs.img", .mode = 0755, .size_bytes = 3'000'000};
  large.sha256 = digest_of("three chunks");
  large.chunks = {{digest_of("1"), kChunkBytesMax}, {digest_of("2"), kChunkBytesMax}};
  large.chunks.push_back({digest_of("3"), 3'000'000 - 2 * kChunkBytesMax});
  manifest.files.push_back(std::move(large));
  manifest.files.push_back(file_of("Packages/gr\xc3\xbc\xc3\x9f.rpm", "rpm"));
  return manifest;
}

inline Release sample_release() {
  Release release;
  release.number = 7;
  release.parent = digest_of("r6");
  release.created = WallTime(Milliseconds(1'504'618'287'123));
  release.comment = "first line\nsecond";
  Image image{.name = "centos7", .tag = "1708", .manifest = digest_of("m"), .size_bytes = 42};
  image.facts = {.family = "redhat",
                 .distro = "CentOS",
                 .version = "7",
                 .arch = "x86_64",
                 .kernel = "images/pxeboot/vmlinuz",
                 .initrd = "images/pxeboot/initrd.img",
                 .stage2 = "LiveOS/squashfs.img",
                 .repo = ""};
  release.images.push_back(image);
  BootEntry install{.name = "centos7", .title = "CentOS 7", .image = "centos7@1708"};
  install.kickstart = "base";
  install.args = "console=ttyS0 {{more}}";
  install.args_style = "legacy";
  install.key = "c";
  install.variables = {{"role", "web"}};
  release.entries.push_back(install);
  release.entries.push_back({.name = "shell", .title = "iPXE shell", .kind = EntryKind::shell});
  release.entries.push_back({.name = "local", .title = "Local disk", .kind = EntryKind::local});
  release.menu = {.title = "Boot at {{site}}",
                  .timeout = Seconds(10),
                  .default_entry = "local",
                  .picture = "bg.png",
                  .template_name = "own",
                  .entries = {"centos7", "- Tools", "-", "shell", "local"}};
  release.variables = {{"ntp", "pool.test"}};
  release.kickstarts = {{"base", "install\n%packages\n@core\n%end\n"}};
  release.menus = {{"own", "#!ipxe\nshell\n"}};
  release.snippets = {{"disk", "clearpart --all"}};
  release.loaders = digest_of("loaders");
  release.assets = digest_of("assets");
  return release;
}

/// With what came after format 1 was first written: tools with files, and menus in menus.
inline Release sample_release_with_menus() {
  Release release = sample_release();
  BootEntry memtest{.name = "memtest", .title = "Memory test", .kind = EntryKind::tool};
  memtest.boot = {{"bios", "assets/memtest.bin"}, {"efi", "loaders/memtest.efi"}};
  release.entries.push_back(memtest);
  BootEntry winpe{.name = "winpe", .title = "WinPE", .kind = EntryKind::winpe};
  winpe.image = "centos7@1708";
  winpe.files = {{"winpeshl.ini", {{"any", "assets/winpe/winpeshl.ini"}}},
                 {"bootmgr", {{"bios", "image/bootmgr"}}}};
  release.entries.push_back(winpe);
  MenuItem deep = MenuItem::menu("deep", "", {"winpe"});
  release.menu.entries = {"centos7",
                          MenuItem::menu("tools", "Tools", {"memtest", "-", "shell", deep}, "t"),
                          "- Disk", "local"};
  return release;
}

inline DesiredState sample_desired_state() {
  DesiredState state;
  state.site = "lyon";
  state.number = 12;
  state.issued = WallTime(Milliseconds(1'700'000'000'001));
  state.stage = digest_of("r8");
  state.serve = digest_of("r7");
  state.variables = {{"gateway", "10.0.0.1"}};
  HostSpec web{.name = "web1", .macs = {"52:54:00:aa:bb:01", "52:54:00:aa:bb:02"}};
  web.uuid = "12345678-9abc-def0-1234-56789abcdef0";
  web.serial = "SN 1/2";
  web.entry = "centos7";
  web.install_order = 3;
  web.variables = {{"ip", "10.0.0.9"}};
  state.hosts.push_back(web);
  state.hosts.push_back({.name = "db1", .serial = "SN 3"});
  state.limits = {.wan_bytes_per_second = 1'000'000, .installs_at_once_max = 4};
  return state;
}

}  // namespace farboot
