#include "agent/http/find_file.h"

#include <optional>

namespace farboot {

bool names_file(RouteKind kind) {
  return kind == RouteKind::tree || kind == RouteKind::image || kind == RouteKind::asset ||
         kind == RouteKind::loader;
}

CatalogFile find_file(const Catalog& catalog, const Route& route) {
  if (route.kind == RouteKind::tree) return catalog.find_tree(route.tree, route.path);
  const auto active = catalog.active();
  if (active == nullptr) return {};
  const auto within = [&](const std::optional<Digest>& manifest) {
    return manifest ? active->find(*manifest, route.path) : CatalogFile{};
  };
  if (route.kind == RouteKind::image) return active->find_image(route.name, route.path);
  if (route.kind == RouteKind::asset) return within(active->release.assets);
  if (route.kind == RouteKind::loader) return within(active->release.loaders);
  return {};
}

}  // namespace farboot
