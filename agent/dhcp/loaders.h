// Which file starts a machine, if nobody wants another one. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/wire/boot_loaders.h"

namespace farboot::dhcp {

/// Loaders for one architecture; the first name that exists is served.
struct LoaderRow {
  std::uint16_t arch = 0;
  std::vector<std::string> names;
};
std::vector<LoaderRow> default_loaders();

}  // namespace farboot::dhcp
