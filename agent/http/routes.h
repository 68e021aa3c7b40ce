// Which part of the agent answers a path, and what HTTP calls our outcomes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/http/target.h"
#include "common/base/result.h"
#include "common/content/digest.h"

namespace farboot {

enum class RouteKind : std::uint8_t {
  none,            ///< nothing lies there: 404
  status_page,     ///< /
  first_script,    ///< /boot.ipxe
  machine_script,  ///< /boot/<mac>.ipxe: `name` is the normalised MAC
  grub_first,      ///< …/grub.cfg, unless the loaders have it: script_instead()
  grub_script,     ///< /boot/<mac>/…/….grub: parse_grub_path() takes `path`, `name` is the MAC
  tree,            ///< /t/<manifest hex>/<path>
  image,           ///< /images/<name>/<path>
  kickstart,       ///< /ks/<token>, or /ks/<token>/<file of cloud-init's seed>: `name`
  asset,           ///< /a/<path>
  event,           ///< /v1/event/<token>: `name`
  health,          ///< /v1/health
  metrics,         ///< /v1/metrics
  loader,          ///< any other path: a file among the boot loaders, or 404
};
inline constexpr std::size_t kRouteKinds = static_cast<std::size_t>(RouteKind::loader) + 1;

/// Stable lower-case name, for metrics and logs.
std::string_view to_string(RouteKind kind);

struct Route {
  RouteKind kind = RouteKind::none;
  Digest tree;
  std::string name;
  std::string path;  ///< within the tree, the image, the assets or the loaders
  bool operator==(const Route&) const = default;
};

Route find_route(const Target& target);

/// What is there in place of a file that the loaders do not have: `autoexec.ipxe` is the first
/// script, `grub.cfg` that of GRUB. nullopt: nothing.
std::optional<RouteKind> script_instead(const Route& missing);

/// Value of `Allow` for a route.
std::string_view allowed_methods(RouteKind kind);

/// By extension, as firmware wants it: EDK2 refuses an unknown type with an unknown extension.
std::string_view media_type(std::string_view path);

/// Status that says `code` to a client. 503 (try again) only where it may heal.
int http_status(Errc code);
/// `Not Found` for 404.
std::string_view reason_phrase(int status);

}  // namespace farboot
