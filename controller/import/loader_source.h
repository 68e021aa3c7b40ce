// Boot loaders as they lie on this machine: in a folder, in a Debian package, or one alone.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace farboot {

/// Where Debian's package `ipxe` puts them.
inline constexpr std::string_view kDefaultLoaders = "/usr/lib/ipxe";

struct FoundLoader {
  Bytes bytes;
  std::string path;  ///< in the source
};

struct FoundLoaders {
  std::map<std::string, FoundLoader> files;  ///< by loader_name()
  std::vector<std::string> notes;            ///< of two files that want one name
};

/// `source`: a folder, with the folders in it; a .deb file; or one loader's file. Symbolic links
/// are followed. Blocks; all of it is in memory, at most 512 MiB. Errors: not_found (names what it
/// looked for), denied, invalid, exhausted.
Result<FoundLoaders> read_loaders(const std::string& source);

/// A .deb file's. Errors: invalid, exhausted.
Result<FoundLoaders> read_loader_package(ByteView package);

}  // namespace farboot
