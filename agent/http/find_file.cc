#include "agent/http/find_file.h"

namespace farboot {

std::optional<Digest> tree_of(const Snapshot& release, const Route& route) {
  if (route.kind == RouteKind::image) return release.image_tree(route.name);
  if (route.kind == RouteKind::asset) return release.release.assets;
  if (route.kind == RouteKind::loader) return release.release.loaders;
  return std::nullopt;
}

bool names_file(RouteKind kind) {
  return kind == RouteKind::tree || kind == RouteKind::image || kind == RouteKind::asset ||
         kind == RouteKind::loader;
}

CatalogFile find_file(const Catalog& catalog, const Route& route) {
  if (route.kind == RouteKind::tree) return catalog.find_tree(route.tree, route.path);
  const auto active = catalog.active();
  if (active == nullptr) return {};
  const auto tree = tree_of(*active, route);
  return tree ? active->find(*tree, route.path) : CatalogFile{};
}

}  // namespace farboot
