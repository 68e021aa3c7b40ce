// What an install tree says about itself: .treeinfo (CentOS 5 to productmd 1.x), .discinfo,
// .disk/info, version.info. Pure: names and texts in, facts out.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/content/release.h"
#include "controller/import/checksum.h"

namespace farboot {

/// Sections of an ini file: `[section]`, `key = value` or `key: value`, `;` and `#` comments.
using IniFile = std::map<std::string, std::map<std::string, std::string>>;
/// Errors: invalid, with the line.
Result<IniFile> parse_ini(std::string_view text);

/// A .treeinfo, old and new forms alike. Paths as written: relative to the .treeinfo.
struct TreeInfo {
  std::string distro;
  std::string version;
  std::string arch;
  std::string kernel;
  std::string initrd;
  std::string stage2;
  std::vector<std::string> images;              ///< every file [images-*], [stage2] name
  std::vector<std::string> repositories;        ///< of variants
  std::vector<std::string> addon_repositories;  ///< of addons and optional variants
  std::vector<std::pair<std::string, Checksum>> checksums;  ///< path, checksum
};
/// Errors: invalid.
Result<TreeInfo> parse_tree_info(std::string_view text);

/// The names of a tree's files, asked one at a time.
using HasFile = std::function<bool(std::string_view path)>;

/// Finds kernel, initrd, stage2 and repository, and what the tree is. `root` is the directory that
/// holds .treeinfo and the images (`` nearly always), `texts` the is_metadata_text() files by path
/// relative to `root`; the paths in the result are relative to the tree. Errors: invalid, with what
/// was looked for.
struct TreeNames {
  HasFile has_file;
  /// The path that this one means if case does not count, as Spelling::meant(). Not set: only by
  /// has_file.
  std::function<Result<std::string>(std::string_view path)> in_any_case;
  std::map<std::string, std::string> texts;
  std::string root;
};
Result<ImageFacts> understand(const TreeNames& tree);

/// The tag an image gets when the operator names none: from the most exact version the tree gives
/// (`7.4` of .discinfo rather than `7`). Empty if there is none.
std::string default_tag(const ImageFacts& facts, const TreeNames& tree);

}  // namespace farboot
