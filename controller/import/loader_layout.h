// Where boot loaders lie in packages and in folders, and the names under which agents serve them.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace farboot {

enum class LoaderPlace : std::uint8_t {
  package,  ///< a Debian package: only what its rows name
  folder,   ///< a folder or a file of the operator's: also loaders no row names, by their own path
};

/// The name of the file at `path` among the loaders; none: it is not one. In a folder `path` begins
/// with the folder's own name, so that `bin-arm64-efi/` given as a source says which machines its
/// files are for.
std::optional<std::string> loader_name(std::string_view path, LoaderPlace place);

/// What loader_name() looks for, for people.
std::string loader_names_looked_for();

/// What to warn of in one loader, as far as its bytes tell: the iPXE of 2019, an iPXE that cannot
/// do what our scripts need (an .efi only: BIOS loaders are compressed), a file for other machines
/// than its name says.
std::vector<std::string> loader_warnings(std::string_view name, ByteView bytes);

}  // namespace farboot
