#include "agent/http/routes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "agent/boot/render_grub.h"
#include "common/content/desired_state.h"

namespace farboot {
namespace {

/// Takes the first component off `path`.
std::string_view take_component(std::string_view& path) {
  const auto slash = path.find('/');
  const std::string_view first = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return first;
}

Route named(RouteKind kind, std::string_view name) {
  Route route;
  if (name.empty() || name.find('/') != std::string_view::npos) return route;
  route.kind = kind;
  route.name = name;
  return route;
}

/// `<token>`, or `<token>/user-data` and the like: cloud-init's seed asks below its URL.
Route kickstart_route(std::string_view rest) {
  constexpr std::array<std::string_view, 3> kSeedFiles{"user-data", "meta-data", "vendor-data"};
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return named(RouteKind::kickstart, rest);
  const std::string_view file = rest.substr(slash + 1);
  if (std::find(kSeedFiles.begin(), kSeedFiles.end(), file) == kSeedFiles.end()) return {};
  Route route = named(RouteKind::kickstart, rest.substr(0, slash));
  if (route.kind != RouteKind::none) route.name = rest;
  return route;
}

Route below(RouteKind kind, std::string_view path) {
  Route route;
  if (path.empty()) return route;
  route.kind = kind;
  route.path = path;
  return route;
}

/// `<mac>.ipxe`, or what GRUB asks for. Everything else below boot/ is the loaders' own: GRUB and
/// bootmgr live there.
Route machine_route(std::string_view path, std::string_view file) {
  constexpr std::string_view kSuffix = ".ipxe";
  if (const auto grub = parse_grub_path(path)) {
    Route route = named(RouteKind::grub_script, grub->facts.mac);
    route.path = path;
    return route;
  }
  if (!file.ends_with(kSuffix)) return {};
  auto mac = normalise_mac(file.substr(0, file.size() - kSuffix.size()));
  if (!mac) return {};
  return named(RouteKind::machine_script, *mac);
}

Route tree_route(std::string_view rest) {
  auto digest = Digest::from_hex(take_component(rest));
  if (!digest) return {};
  Route route = below(RouteKind::tree, rest);
  if (route.kind != RouteKind::none) route.tree = *digest;
  return route;
}

Route image_route(std::string_view rest) {
  const std::string_view name = take_component(rest);
  Route route = below(RouteKind::image, rest);
  if (route.kind != RouteKind::none) route.name = name;
  return route;
}

Route v1_route(std::string_view rest) {
  const std::string_view word = take_component(rest);
  if (word == "health" && rest.empty()) return {RouteKind::health, {}, {}, {}};
  if (word == "metrics" && rest.empty()) return {RouteKind::metrics, {}, {}, {}};
  if (word == "event") return named(RouteKind::event, rest);
  return {};
}

}  // namespace

std::string_view to_string(RouteKind kind) {
  switch (kind) {
    case RouteKind::none: return "none";
    case RouteKind::status_page: return "status_page";
    case RouteKind::first_script: return "first_script";
    case RouteKind::machine_script: return "machine_script";
    case RouteKind::grub_first: return "grub_first";
    case RouteKind::grub_script: return "grub_script";
    case RouteKind::tree: return "tree";
    case RouteKind::image: return "image";
    case RouteKind::kickstart: return "kickstart";
    case RouteKind::asset: return "asset";
    case RouteKind::event: return "event";
    case RouteKind::health: return "health";
    case RouteKind::metrics: return "metrics";
    case RouteKind::loader: return "loader";
  }
  return "none";
}

Route find_route(const Target& target) {
  if (target.path.empty()) return {RouteKind::status_page, {}, {}, {}};
  if (target.directory) return {};
  std::string_view rest = target.path;
  const std::string_view first = take_component(rest);
  if (first == "boot.ipxe" && rest.empty()) return {RouteKind::first_script, {}, {}, {}};
  if (first == "boot") {
    if (Route machine = machine_route(target.path, rest); machine.kind != RouteKind::none)
      return machine;
  }
  if (first == "t") return tree_route(rest);
  if (first == "images") return image_route(rest);
  if (first == "ks") return kickstart_route(rest);
  if (first == "a") return below(RouteKind::asset, rest);
  if (first == "v1") return v1_route(rest);
  return below(RouteKind::loader, target.path);
}

std::optional<RouteKind> script_instead(const Route& missing) {
  if (missing.kind != RouteKind::loader) return std::nullopt;
  if (missing.path == "autoexec.ipxe") return RouteKind::first_script;
  if (is_grub_config(missing.path)) return RouteKind::grub_first;
  return std::nullopt;
}

std::string_view allowed_methods(RouteKind kind) {
  if (kind == RouteKind::event) return "GET, POST";
  return kind == RouteKind::machine_script ? "GET, HEAD, POST" : "GET, HEAD";
}

std::string_view media_type(std::string_view path) {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kTypes{{
      {"efi", "application/efi"},
      {"iso", "application/vnd.efi-iso"},
      {"img", "application/vnd.efi-img"},
      {"ipxe", kText},
      {"ks", kText},
      {"cfg", kText},
      {"sh", kText},
      {"txt", kText},
      {"treeinfo", kText},
      {"discinfo", kText},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
  }};
  const auto dot = path.rfind('.');
  if (dot != std::string_view::npos) {
    std::string extension;
    for (const char c : path.substr(dot + 1)) {
      extension += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    for (const auto& [suffix, type] : kTypes) {
      if (suffix == extension) return type;
    }
  }
  return "application/octet-stream";
}

int http_status(Errc code) {
  switch (code) {
    case Errc::invalid: return 400;
    case Errc::not_found: return 404;
    case Errc::denied: return 403;
    case Errc::conflict: return 409;
    case Errc::exhausted:
    case Errc::unavailable:
    case Errc::timeout:
    case Errc::cancelled: return 503;
    case Errc::mismatch:
    case Errc::corrupt:
    case Errc::internal: return 500;
  }
  return 500;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
  }
}

}  // namespace farboot
