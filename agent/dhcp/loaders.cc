#include "agent/dhcp/loaders.h"

namespace farboot::dhcp {

std::vector<LoaderRow> default_loaders() {
  std::vector<LoaderRow> rows;
  for (const Architecture& row : architectures())
    if (!row.loaders.empty())
      rows.push_back({.arch = row.number, .names = {row.loaders.begin(), row.loaders.end()}});
  return rows;
}

}  // namespace farboot::dhcp
