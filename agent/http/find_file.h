// Where a route leads in the catalog: the same for HTTP and TFTP.
#pragma once

#include <optional>

#include "agent/catalog/catalog.h"
#include "agent/http/routes.h"

namespace farboot {

/// The tree of the release that route.path lies in; nullopt: the route leads to none of its trees.
std::optional<Digest> tree_of(const Snapshot& release, const Route& route);

/// True for the routes that name files: of a tree, an image, the assets, the loaders.
bool names_file(RouteKind kind);

/// What lies there now; `entry` is nullptr if nothing does. Any thread.
CatalogFile find_file(const Catalog& catalog, const Route& route);

}  // namespace farboot
