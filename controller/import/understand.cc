// understand(): from a tree's names to what it is and how it boots.
#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "common/content/manifest.h"
#include "controller/import/links.h"
#include "controller/import/tree_info.h"

namespace farboot {
namespace {

constexpr std::size_t kFactBytesMax = 200;
constexpr std::size_t kInfoLinesMax = 20;  ///< of version.info: it has two

constexpr std::string_view kCasper = "casper/";

/// A kernel and its initrd, as one kind of tree lays them.
struct BootPair {
  std::string_view family;
  std::string_view arch;  ///< empty: from elsewhere
  std::string_view kernel;
  std::string_view initrd;
};

/// The installer's own network images before those of the CD, which look for the CD.
constexpr std::array kBootPairs = {
    BootPair{"redhat", "", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"},
    BootPair{"debian", "x86_64", "debian-installer/amd64/linux",
             "debian-installer/amd64/initrd.gz"},
    BootPair{"debian", "aarch64", "debian-installer/arm64/linux",
             "debian-installer/arm64/initrd.gz"},
    BootPair{"debian", "i386", "debian-installer/i386/linux", "debian-installer/i386/initrd.gz"},
    BootPair{"ubuntu", "x86_64", "ubuntu-installer/amd64/linux",
             "ubuntu-installer/amd64/initrd.gz"},
    BootPair{"ubuntu", "x86_64", "install/netboot/ubuntu-installer/amd64/linux",
             "install/netboot/ubuntu-installer/amd64/initrd.gz"},
    BootPair{"ubuntu", "", "casper/vmlinuz", "casper/initrd"},
    BootPair{"ubuntu", "", "casper/vmlinuz", "casper/initrd.gz"},
    BootPair{"ubuntu", "", "casper/vmlinuz", "casper/initrd.lz"},
    BootPair{"ubuntu", "", "casper/hwe-vmlinuz", "casper/hwe-initrd"},
    BootPair{"debian", "x86_64", "install.amd/vmlinuz", "install.amd/initrd.gz"},
    BootPair{"debian", "aarch64", "install.a64/vmlinuz", "install.a64/initrd.gz"},
    BootPair{"debian", "i386", "install.386/vmlinuz", "install.386/initrd.gz"},
    BootPair{"ubuntu", "", "install/vmlinuz", "install/initrd.gz"},
    BootPair{"debian", "", "live/vmlinuz", "live/initrd.img"},
    BootPair{"redhat", "", "isolinux/vmlinuz", "isolinux/initrd.img"},
    BootPair{"other", "", "vmlinuz", "initrd.img"},
    BootPair{"other", "", "linux", "initrd.gz"},
    BootPair{"other", "", "boot/vmlinuz", "boot/initrd.img"},
};

std::string at(const TreeNames& tree, std::string_view path) {
  return tree.root.empty() ? std::string(path) : fmt::format("{}/{}", tree.root, path);
}

const std::string* text_of(const TreeNames& tree, const std::string& name) {
  const auto found = tree.texts.find(name);
  return found == tree.texts.end() ? nullptr : &found->second;
}

std::string line_of(std::string_view text, std::size_t wanted) {
  for (; wanted > 0; --wanted) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return printable(text, kFactBytesMax);
}

/// The kernel's word for an architecture.
std::string kernel_arch(std::string arch) {
  if (arch == "amd64") return "x86_64";
  if (arch == "arm64") return "aarch64";
  return arch;
}

/// `Debian GNU/Linux 12.4.0 "Bookworm" - Official amd64 NETINST …`,
/// `Ubuntu-Server 22.04.3 LTS "Jammy Jellyfish" - Release amd64 (20230810)`.
void read_disk_info(const std::string& line, ImageFacts& facts) {
  const std::size_t digit = line.find_first_of("0123456789");
  if (digit != std::string::npos) {
    const std::size_t end = line.find_first_not_of("0123456789.", digit);
    facts.version = line.substr(digit, end == std::string::npos ? end : end - digit);
    std::string distro = line.substr(0, digit);
    while (distro.ends_with(' ') || distro.ends_with('"')) distro.pop_back();
    facts.distro = distro;
  }
  for (const char* arch : {"amd64", "arm64", "i386", "armhf", "ppc64el", "s390x", "riscv64"})
    if (line.find(std::string(" ") + arch) != std::string::npos) facts.arch = kernel_arch(arch);
  if (line.find("ubuntu") != std::string::npos || line.find("Ubuntu") != std::string::npos)
    facts.family = "ubuntu";
}

constexpr std::string_view kVersionLine = "Debian version:";
constexpr std::string_view kBuildLine = "Installer build:";

/// The first word after `name` at the beginning of a line.
std::string word_after(std::string_view text, std::string_view name) {
  for (std::size_t number = 0; number < kInfoLinesMax; ++number) {
    const std::string line = line_of(text, number);
    if (!line.starts_with(name)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", name.size());
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_first_of(" \t", begin) - begin);
  }
  return {};
}

/// `Debian version:  12 (bookworm)`, of Debian's netboot images.
void read_version_info(const std::string& text, ImageFacts& facts) {
  facts.version = word_after(text, kVersionLine);
  if (!facts.version.empty()) facts.distro = "Debian";
}

/// The path `written` in .treeinfo; it must be in the tree.
Result<std::string> named_file(const TreeNames& tree, std::string_view what,
                               const std::string& written) {
  if (written.empty()) return std::string();
  auto path = join_tree_path(tree.root, written);
  if (!path || !tree.has_file(*path))
    return fail(Errc::mismatch, ".treeinfo names {} '{}', which is not in the tree", what,
                printable(written));
  return *path;
}

std::string first_present(const TreeNames& tree, std::initializer_list<const char*> paths) {
  for (const char* path : paths)
    if (tree.has_file(at(tree, path))) return at(tree, path);
  return {};
}

Result<void> from_tree_info(const TreeNames& tree, const std::string& text, ImageFacts& facts) {
  auto info = parse_tree_info(text);
  if (!info) return info.error();
  facts.family = "redhat";
  facts.distro = printable(info->distro, kFactBytesMax);
  facts.version = printable(info->version, kFactBytesMax);
  facts.arch = printable(info->arch, kFactBytesMax);
  auto kernel = named_file(tree, "the kernel", info->kernel);
  if (!kernel) return kernel.error();
  auto initrd = named_file(tree, "the initrd", info->initrd);
  if (!initrd) return initrd.error();
  auto stage2 = named_file(tree, "stage2", info->stage2);
  if (!stage2) return stage2.error();
  facts.kernel = std::move(*kernel);
  facts.initrd = std::move(*initrd);
  facts.stage2 = std::move(*stage2);
  return {};
}

void find_boot_pair(const TreeNames& tree, ImageFacts& facts) {
  for (const BootPair& pair : kBootPairs) {
    if (!tree.has_file(at(tree, pair.kernel)) || !tree.has_file(at(tree, pair.initrd))) continue;
    facts.kernel = at(tree, pair.kernel);
    facts.initrd = at(tree, pair.initrd);
    // Mint and others whose .disk/info does not say Ubuntu start as Ubuntu does.
    if (facts.family.empty() || pair.kernel.starts_with(kCasper)) facts.family = pair.family;
    if (facts.arch.empty()) facts.arch = pair.arch;
    return;
  }
}

/// False: it is not there. Errors: invalid, there is more than one.
Result<bool> has_in_any_case(const TreeNames& tree, std::string_view path) {
  if (!tree.in_any_case) return tree.has_file(path);
  const auto meant = tree.in_any_case(path);
  if (!meant && meant.error().code != Errc::not_found) return meant.error();
  return meant.has_value();
}

/// WinPE, as wimboot starts it: only boot.wim is a must, for BCD and boot.sdi may come out of it.
/// Of two spellings of boot.wim agents serve neither, so such a tree is refused.
Result<bool> is_windows(const TreeNames& tree) { return has_in_any_case(tree, "sources/boot.wim"); }

/// For which machines, by the loader a disc has for them.
ImageFacts windows_facts(const TreeNames& tree) {
  struct Loader {
    std::string_view path;
    std::string_view arch;
  };
  constexpr std::array kLoaders = {Loader{"efi/boot/bootx64.efi", "x86_64"},
                                   Loader{"efi/boot/bootaa64.efi", "aarch64"},
                                   Loader{"efi/boot/bootia32.efi", "i386"}};
  ImageFacts facts = {.family = "windows", .distro = "Windows", .arch = "x86_64"};
  for (const Loader& loader : kLoaders) {
    if (const auto there = has_in_any_case(tree, loader.path); there && !*there) continue;
    facts.arch = loader.arch;
    break;
  }
  return facts;
}

Error no_boot_files(const TreeNames& tree) {
  std::string looked_for = ".treeinfo";
  for (const BootPair& pair : kBootPairs)
    if (looked_for.find(pair.kernel) == std::string::npos)
      looked_for += fmt::format(", {}", pair.kernel);
  const bool bridge = tree.has_file("README.TXT") || tree.has_file("readme.txt");
  return fail(
      Errc::invalid,
      "no boot files in the tree; looked for {} (each with its initrd) and "
      "sources/boot.wim; {}",
      looked_for,
      bridge
          ? "it looks like the ISO 9660 half of a Windows disc without its UDF half: copy the "
            "image "
            "again, or its files to a directory and import that"
          : "import the disc that machines are installed from (a DVD, minimal or boot ISO), or the "
            "top folder of its tree");
}

}  // namespace

Result<ImageFacts> understand(const TreeNames& tree) {
  ImageFacts facts;
  const std::string* tree_info = text_of(tree, ".treeinfo");
  if (tree_info == nullptr) tree_info = text_of(tree, "treeinfo");
  if (tree_info != nullptr)
    if (auto ok = from_tree_info(tree, *tree_info, facts); !ok) return ok.error();
  if (const std::string* disk = text_of(tree, ".disk/info"); disk != nullptr && !tree_info) {
    facts.family = "debian";
    read_disk_info(line_of(*disk, 0), facts);
  }
  if (const std::string* info = text_of(tree, "version.info"); info != nullptr && !tree_info)
    if (facts.version.empty()) read_version_info(*info, facts);
  if (const std::string* disc = text_of(tree, ".discinfo"); disc != nullptr) {
    // Time stamp, release, architecture; the release may be a whole name.
    if (facts.version.empty()) facts.version = line_of(*disc, 1);
    if (facts.arch.empty()) facts.arch = line_of(*disc, 2);
  }
  if (facts.kernel.empty() || facts.initrd.empty()) find_boot_pair(tree, facts);
  if (facts.kernel.empty() || facts.initrd.empty()) {
    const auto windows = is_windows(tree);
    if (!windows) return windows.error();
    return *windows ? Result<ImageFacts>(windows_facts(tree)) : no_boot_files(tree);
  }
  if (facts.stage2.empty() && facts.family == "redhat")
    facts.stage2 = first_present(tree, {"images/install.img", "LiveOS/squashfs.img"});
  if (facts.distro.empty() && facts.family != "other") facts.distro = facts.family;
  facts.repo = tree.root;
  return facts;
}

std::string default_tag(const ImageFacts& facts, const TreeNames& tree) {
  std::string version = facts.version;
  if (const std::string* disc = text_of(tree, ".discinfo"); disc != nullptr) {
    // `7.4`, or a whole name: `AlmaLinux 9.1`.
    const std::string exact = line_of(*disc, 1);
    const std::string last = exact.substr(exact.rfind(' ') + 1);
    if (version.empty())
      version = exact;
    else if (last.starts_with(version + "."))
      version = last;
  }
  // Debian builds its netboot images anew for each point release; the version stays `12`.
  if (const std::string* info = text_of(tree, "version.info"); info != nullptr)
    if (const std::string build = word_after(*info, kBuildLine); !build.empty())
      version += (version.empty() ? "" : "-") + build;
  std::string tag;
  for (const char letter : version) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                      lower == '.' || lower == '_';
    if (fits)
      tag += lower;
    else if (!tag.empty() && tag.back() != '-')
      tag += '-';
  }
  tag = tag.substr(0, 63);
  while (tag.ends_with('-')) tag.pop_back();
  return is_name(tag) ? tag : std::string();
}

}  // namespace farboot
