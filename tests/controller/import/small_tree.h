// Install trees of a few kilobytes, made in memory: as a directory, as an ISO (libarchive), with
// metadata that matches. A test then breaks what it is about.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "controller/import/iso_extents.h"

namespace farboot {

/// path → content. A content of `-> target` is a symbolic link, of `=> path` in an ISO a hard one.
using TreeFiles = std::map<std::string, std::string>;

/// CentOS 7 as its DVD: .treeinfo with checksums, repodata (primary.xml.gz), three packages, one of
/// them of 2.5 MB.
TreeFiles centos7_tree();
/// EL 9 as its DVD: productmd 1.2, BaseOS and AppStream with repodata of their own.
TreeFiles el9_dvd_tree();
/// EL 9 as on a mirror, from the directory above: 9/BaseOS/x86_64/os, 9/AppStream/x86_64/os.
TreeFiles el9_mirror();
/// Debian's netinst: .disk/info, install.amd, md5sum.txt, `debian -> .`.
TreeFiles debian_tree();

/// Ubuntu's server ISO: .disk/info, casper, md5sum.txt, `ubuntu -> .`, a pool.
TreeFiles ubuntu_tree();

/// A Windows disc: `sources/boot.wim` and what starts it, spelt as on one of them.
TreeFiles windows_tree();

/// repodata/ of `folder` (`` or ending in a slash) for the packages under it: all *.rpm there.
void add_repodata(TreeFiles& tree, const std::string& folder);
std::string gzip(const std::string& text);
std::string noise(std::size_t size_bytes, std::uint64_t seed);
std::string sha256_hex(const std::string& text);

void write_folder(const TreeFiles& tree, const std::string& folder);
/// ISO 9660 with Rock Ridge and Joliet.
void write_iso(const TreeFiles& tree, const std::string& path);
/// What an ISO made by genisoimage has beside UDF.
struct UdfHalf {
  std::vector<std::string> hidden;         ///< names of its top folder that ISO 9660 lacks
  std::vector<std::string> hidden_in_udf;  ///< the same of UDF
  bool rock_ridge = false;                 ///< ISO 9660 has the names as they are written
};
/// UDF and ISO 9660, by genisoimage, as Windows' discs are. `path` + `.tree` is left beside it.
void write_udf(const TreeFiles& tree, const std::string& path, const UdfHalf& half);
/// A .deb whose data.tar.xz holds these (paths without `./`).
void write_deb(const TreeFiles& files, const std::string& path);

/// An image in memory. Borrows `bytes`.
ReadAt reader_of(const std::string& bytes);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);

}  // namespace farboot
