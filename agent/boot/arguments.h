// Kernel arguments by family of system: Anaconda's, with inst. and as CentOS 6 and 7 wrote them;
// Debian's and Ubuntu's installers. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/content/release.h"

namespace farboot {

struct ArgumentFacts {
  std::string tree_url;        ///< no slash at the end
  std::string kickstart_url;   ///< empty: the entry has none
  std::string mac;             ///< normalised, of the card it boots from
  std::string host_name;       ///< empty: nobody named it
  std::string domain;          ///< empty: none
  bool tree_described = true;  ///< `.treeinfo` lies at the tree's root, beside the repositories
};

/// What the image's family needs, without `initrd=`. Words that `own` (the operator's arguments)
/// gives too are left out: `ip=`, `BOOTIF=` and where to install from.
std::string family_arguments(const Image& image, std::string_view style, const ArgumentFacts& facts,
                             std::string_view own);

}  // namespace farboot
