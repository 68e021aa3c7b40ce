#include "controller/import/mirror_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/check.h"
#include "common/content/manifest.h"
#include "controller/import/archive.h"
#include "controller/import/intake.h"
#include "controller/import/links.h"
#include "controller/import/meter.h"

namespace farboot {
namespace {

constexpr std::size_t kMetadataFileBytesMax = 256u << 20;  ///< of one; Fedora's filelists: 60 MiB
constexpr std::size_t kPrimaryBytesMax = 96u << 20;        ///< compressed, kept while listing
constexpr std::size_t kPackagesMax = 500'000;

/// What installers and people look for beside what .treeinfo names. Absent ones are not missed.
constexpr std::array kExtras = {".discinfo",
                                "media.repo",
                                "EULA",
                                "GPL",
                                "LICENSE",
                                "Contributors",
                                "extra_files.json",
                                "COMMUNITY-CHARTER",
                                "RPM-GPG-KEY-CentOS-7",
                                "RPM-GPG-KEY-CentOS-Testing-7",
                                "RPM-GPG-KEY-centosofficial",
                                "RPM-GPG-KEY-centosofficial-SHA256",
                                "RPM-GPG-KEY-rockyofficial",
                                "RPM-GPG-KEY-Rocky-8",
                                "RPM-GPG-KEY-Rocky-9",
                                "RPM-GPG-KEY-Rocky-10",
                                "RPM-GPG-KEY-AlmaLinux",
                                "RPM-GPG-KEY-AlmaLinux-8",
                                "RPM-GPG-KEY-AlmaLinux-9",
                                "RPM-GPG-KEY-AlmaLinux-10",
                                "RPM-GPG-KEY-redhat-release",
                                "EFI/BOOT/BOOTX64.EFI",
                                "EFI/BOOT/BOOTIA32.EFI",
                                "EFI/BOOT/BOOTAA64.EFI",
                                "EFI/BOOT/grubx64.efi",
                                "EFI/BOOT/grubia32.efi",
                                "EFI/BOOT/grubaa64.efi",
                                "EFI/BOOT/mmx64.efi",
                                "EFI/BOOT/mmia32.efi",
                                "EFI/BOOT/mmaa64.efi",
                                "EFI/BOOT/BOOT.conf",
                                "EFI/BOOT/grub.cfg",
                                "EFI/BOOT/fonts/unicode.pf2",
                                "isolinux/isolinux.bin",
                                "isolinux/isolinux.cfg",
                                "isolinux/boot.msg",
                                "isolinux/grub.conf",
                                "isolinux/ldlinux.c32",
                                "isolinux/libcom32.c32",
                                "isolinux/libutil.c32",
                                "isolinux/vesamenu.c32",
                                "isolinux/splash.png",
                                "isolinux/vmlinuz",
                                "isolinux/initrd.img",
                                "images/efiboot.img",
                                "images/updates.img",
                                "images/product.img",
                                "images/install.img",
                                "LiveOS/squashfs.img"};

std::string under(std::string_view folder, std::string_view path) {
  return folder.empty() ? std::string(path) : fmt::format("{}/{}", folder, path);
}

/// How many levels `path` climbs above where it starts.
std::size_t climbs(std::string_view path) {
  std::size_t depth = 0;
  std::size_t above = 0;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part == "..") {
      if (depth == 0)
        ++above;
      else
        --depth;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
  }
  return above;
}

}  // namespace

Result<std::unique_ptr<MirrorSource>> MirrorSource::open(const std::string& url,
                                                         const std::string& journal) {
  if (url.find_first_of("?#") != std::string::npos)
    return fail(Errc::invalid, "{}: an address with a query names no tree", shown_url(url));
  if (url.ends_with(".iso"))
    return fail(Errc::invalid, "{}: fetch the ISO first and import its file", shown_url(url));
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  auto opened = ImportJournal::open(journal);
  if (!opened) return opened.error();
  return std::unique_ptr<MirrorSource>(new MirrorSource(base, std::move(*opened)));
}

Result<Listing> MirrorSource::list(Meter& meter) {
  HttpFetch fetch([&meter] { return meter.tick(); });
  auto info = fetch_tree_info(fetch);
  if (!info) return info.error();
  if (auto ok = list_images(fetch, *info); !ok) return ok.error();
  if (auto ok = list_repositories(fetch, *info); !ok) return ok.error();
  if (auto ok = list_extras(fetch); !ok) return ok.error();
  return listing_;
}

Result<TreeInfo> MirrorSource::fetch_tree_info(HttpFetch& fetch) {
  for (const char* name : {".treeinfo", "treeinfo"}) {
    auto text = fetch.get(url_of(base_, name), kMetadataTextBytesMax);
    if (!text && text.error().code == Errc::not_found) continue;
    if (!text) return text.error();
    auto info = parse_tree_info(as_text(*text));
    if (!info) return info.error();
    if (auto ok = rise_above(*info); !ok) return ok.error();
    const std::string path = under(root_, name);
    listing_.texts[path] = std::string(as_text(*text));
    keep_fetched(path, std::move(*text));
    return info;
  }
  return fail(Errc::invalid, "{}: no install tree there: looked for .treeinfo and treeinfo",
              shown_url(base_));
}

Result<void> MirrorSource::rise_above(const TreeInfo& info) {
  std::size_t above = 0;
  for (const std::string& repository : info.repositories)
    above = std::max(above, climbs(repository));
  const std::size_t host = base_.find("://") + 3;
  for (; above > 0; --above) {
    const std::size_t slash = base_.rfind('/');
    const std::string part = slash == std::string::npos ? "" : base_.substr(slash + 1);
    if (slash == std::string::npos || slash < host || !is_tree_path(part) ||
        part.find('%') != std::string::npos)
      return fail(Errc::invalid, "{}: .treeinfo names repositories above the address's root",
                  shown_url(base_));
    root_ = root_.empty() ? part : part + "/" + root_;
    base_.resize(slash);
  }
  return {};
}

Result<std::string> MirrorSource::below_root(std::string_view written) const {
  auto path = join_tree_path(root_, written);
  if (!path) return path.error();
  if (!path->empty() && !is_tree_path(*path))
    return fail(Errc::invalid, "path '{}': not one a tree may hold", printable(*path));
  return path;
}

Result<void> MirrorSource::list_images(HttpFetch& fetch, const TreeInfo& info) {
  std::vector<std::string> images = {info.kernel, info.initrd, info.stage2};
  std::set<std::string> needed(images.begin(), images.end());
  images.insert(images.end(), info.images.begin(), info.images.end());
  for (const auto& [path, checksum] : info.checksums) images.push_back(path);
  for (const std::string& written : images) {
    // boot.iso repeats kernel, initrd and stage2; nothing that installs over the network reads it.
    if (written.empty() || written.ends_with(".iso")) continue;
    auto path = below_root(written);
    if (!path) return prefix(".treeinfo", path.error());
    if (path->ends_with("repodata/repomd.xml")) continue;  // comes with its repository
    auto there = probe(fetch, *path);
    if (!there) return there.error();
    if (!*there && needed.contains(written))
      return fail(Errc::mismatch, ".treeinfo names '{}', which {} does not have",
                  printable(written), shown_url(base_));
  }
  for (SourceFile& file : listing_.files)
    for (const auto& [written, checksum] : info.checksums)
      if (auto path = below_root(written); path && *path == file.path) file.checksum = checksum;
  return {};
}

Result<void> MirrorSource::list_repositories(HttpFetch& fetch, const TreeInfo& info) {
  std::set<std::string> done;
  const auto add = [&](const std::string& written, bool needed) -> Result<void> {
    auto folder = below_root(written);
    if (!folder) return prefix(".treeinfo", folder.error());
    if (!done.insert(*folder).second) return {};
    auto ok = list_repository(fetch, *folder);
    if (!ok && ok.error().code == Errc::not_found && !needed) return {};
    return ok;
  };
  for (const std::string& repository : info.repositories)
    if (auto ok = add(repository, true); !ok) return ok.error();
  for (const std::string& repository : info.addon_repositories)
    if (auto ok = climbs(repository) == 0 ? add(repository, false) : Result<void>(); !ok)
      return ok.error();
  // Trees without variants (CentOS 7, Fedora before 21) have their one repository at the root.
  return add(".", info.repositories.empty());
}

Result<void> MirrorSource::list_repository(HttpFetch& fetch, const std::string& folder) {
  const std::string repomd_path = under(folder, "repodata/repomd.xml");
  auto repomd = fetch.get(url_of(base_, repomd_path), kRepomdBytesMax);
  if (!repomd) return repomd.error();
  auto metadata = parse_repomd(*repomd);
  if (!metadata) return prefix(repomd_path, metadata.error());
  keep_fetched(repomd_path, std::move(*repomd));
  for (const RepoFile& each : *metadata) {
    if (auto ok = list_repo_file(folder, each); !ok) return prefix(repomd_path, ok.error());
    if (each.type != "primary") continue;
    auto path = join_tree_path(folder, each.href);
    if (!path) return path.error();
    auto primary = fetch.get(url_of(base_, *path), kPrimaryBytesMax);
    if (!primary && primary.error().code == Errc::not_found)
      return fail(Errc::mismatch, "{} names {}, which {} does not have", repomd_path,
                  printable(*path), shown_url(base_));
    if (!primary) return primary.error();
    keep_fetched(*path, std::move(*primary));
    if (auto ok = list_packages(folder, *path); !ok) return prefix(*path, ok.error());
  }
  return {};
}

Result<void> MirrorSource::list_packages(const std::string& folder, const std::string& primary) {
  PrimaryParser parser([&](const RepoFile& package) { return list_repo_file(folder, package); });
  const auto push = [&parser](ByteView xml) { return parser.push(xml); };
  if (auto ok = inflate(pull_from(fetched_.at(primary)), kPrimaryXmlBytesMax, push); !ok)
    return ok.error();
  return parser.finish();
}

Result<void> MirrorSource::list_repo_file(const std::string& folder, const RepoFile& named) {
  auto path = join_tree_path(folder, named.href);
  if (!path) return path.error();
  if (!is_tree_path(*path))
    return fail(Errc::invalid, "path '{}': not one a tree may hold", printable(*path));
  if (!named.base.empty() && named.base != ".")
    return fail(Errc::invalid, "{}: lies at another address ({}); import a tree that is whole",
                printable(*path), printable(named.base));
  if (listing_.files.size() >= kPackagesMax)
    return fail(Errc::exhausted, "more than {} files", kPackagesMax);
  SourceFile file{.path = *path};
  file.size_bytes = named.size_bytes;
  file.checksum = named.checksum;
  add(std::move(file));
  return {};
}

Result<void> MirrorSource::list_extras(HttpFetch& fetch) {
  for (const char* name : kExtras) {
    auto there = probe(fetch, under(root_, name));
    // Object stores answer 403 for what they do not have; nothing depends on these.
    if (!there && there.error().code != Errc::denied) return there.error();
  }
  const std::string discinfo = under(root_, ".discinfo");
  if (!listed_.contains(discinfo)) return {};
  auto text = fetch.get(url_of(base_, discinfo), kMetadataTextBytesMax);
  if (!text) return text.error();
  listing_.texts[discinfo] = std::string(as_text(*text));
  fetched_[discinfo] = std::move(*text);
  return {};
}

Result<bool> MirrorSource::probe(HttpFetch& fetch, const std::string& path) {
  if (listed_.contains(path)) return true;
  auto head = fetch.head(url_of(base_, path));
  if (!head && head.error().code == Errc::not_found) return false;
  if (!head) return head.error();
  SourceFile file{.path = path};
  file.size_bytes = head->size_bytes;
  add(std::move(file));
  return true;
}

void MirrorSource::add(SourceFile file) {
  if (listed_.insert(file.path).second) listing_.files.push_back(std::move(file));
}

void MirrorSource::keep_fetched(const std::string& path, Bytes bytes) {
  SourceFile file{.path = path};
  file.size_bytes = bytes.size();
  add(std::move(file));
  fetched_[path] = std::move(bytes);
}

Result<void> MirrorSource::read(const Listing& listing, Intake& intake) {
  HttpFetch fetch([&intake] { return intake.meter().tick(); });
  for (const SourceFile& file : listing.files)
    if (auto ok = read_file(fetch, file, intake); !ok) return ok.error();
  return {};
}

Result<std::uint64_t> MirrorSource::held_bytes(const Listing& listing, const ContentStore& store) {
  std::uint64_t bytes = 0;
  for (const SourceFile& file : listing.files) {
    auto held = find_held(file, store);
    if (!held) return held.error();
    if (*held) bytes += (*held)->size_bytes;
  }
  return bytes;
}

Result<void> MirrorSource::read_file(HttpFetch& fetch, const SourceFile& file, Intake& intake) {
  auto held = find_held(file, intake.store());
  if (!held) return held.error();
  if (*held) return intake.adopt(std::move(**held));
  if (auto ok = intake.begin(file); !ok) return ok.error();
  if (const auto known = fetched_.find(file.path); known != fetched_.end()) {
    if (auto ok = intake.write(known->second); !ok) return ok.error();
    return intake.end();
  }
  HttpFetch::Receiver receiver;
  receiver.bytes = [&intake](ByteView part) { return intake.write(part); };
  receiver.again = [&intake] { intake.again(); };
  auto ok = fetch.get(url_of(base_, file.path), receiver);
  if (!ok && ok.error().code == Errc::not_found)
    return fail(Errc::mismatch, "{}: the tree's own metadata names it, but {} does not have it",
                printable(file.path), shown_url(base_));
  if (ok) ok = intake.end();
  if (ok) journal_.add(intake.last());
  return ok;
}

Result<std::optional<FileEntry>> MirrorSource::find_held(const SourceFile& file,
                                                         const ContentStore& store) {
  const std::optional<FileEntry> unknown;
  if (!file.checksum || file.checksum->algorithm != "sha256" || !file.size_bytes) return unknown;
  auto sha256 = Digest::from_hex(file.checksum->hex);
  if (!sha256) return sha256.error();
  FileEntry entry{.path = file.path, .mode = file.mode, .sha256 = *sha256};
  if (const std::vector<ChunkRef>* chunks = journal_.find(*sha256); chunks != nullptr)
    entry.chunks = *chunks;
  else if (*file.size_bytes > 0 && *file.size_bytes <= kChunkBytesMax)
    entry.chunks.push_back({*sha256, static_cast<std::uint32_t>(*file.size_bytes)});
  std::vector<Digest> ids;
  for (const ChunkRef& chunk : entry.chunks) {
    ids.push_back(chunk.id);
    entry.size_bytes += chunk.size_bytes;
  }
  if (entry.size_bytes != *file.size_bytes || ids.empty()) return unknown;
  auto missing = store.missing(ids);
  if (!missing) return missing.error();
  return missing->empty() ? std::optional<FileEntry>(std::move(entry)) : unknown;
}

}  // namespace farboot
