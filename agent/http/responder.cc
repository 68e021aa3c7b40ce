#include "agent/http/responder.h"

#include <iterator>
#include <utility>

#include "agent/boot/render_grub.h"
#include "agent/http/find_file.h"
#include "agent/http/status_page.h"
#include "common/base/log.h"
#include "common/content/desired_state.h"

namespace farboot {
namespace {

/// One of our own failures as a response. Its text stays in our log.
Response failure_response(const Error& error) {
  const int status = http_status(error.code);
  return status == 503 ? retry_response() : error_response(status);
}

std::string fact(const QueryPairs& query, std::string_view key) {
  return std::string(query_value(query, key).substr(0, kFactBytesMax));
}

bool accepts(Method method, RouteKind kind) {
  if (method == Method::get) return true;
  if (method == Method::post) return kind == RouteKind::event || kind == RouteKind::machine_script;
  return method == Method::head && kind != RouteKind::event;
}

/// `eth0 52:54:00:aa:bb:cc`: the MAC is the last word.
std::vector<std::string> normalised_macs(const std::vector<std::string>& headers) {
  std::vector<std::string> macs;
  for (const std::string& header : headers) {
    const auto end = header.find_last_not_of(" \t");
    if (end == std::string::npos) continue;
    const std::string_view trimmed = std::string_view(header).substr(0, end + 1);
    auto mac = normalise_mac(trimmed.substr(trimmed.find_last_of(" \t") + 1));
    if (mac) macs.push_back(std::move(*mac));
  }
  return macs;
}

/// A posted event is a form (`event=…&detail=…`) or, behind `?event=…`, plain text.
QueryPairs event_fields(const Request& request, QueryPairs query) {
  if (request.body.empty()) return query;
  const std::string_view body = request.body;
  if (body.starts_with("event=") || body.starts_with("detail=")) {
    QueryPairs form = parse_query(body, PlusSign::blank);
    std::move(query.begin(), query.end(), std::back_inserter(form));
    return form;
  }
  query.emplace_back("detail", request.body);
  return query;
}

}  // namespace

std::optional<Response> Responder::at_once(const Request& request, Asked& asked) const {
  auto target = parse_target(request.target);
  if (target) asked.route = find_route(*target);
  const RouteKind kind = asked.route.kind;
  if (!accepts(request.method, kind)) {
    Response response = error_response(405);
    response.headers.append("Allow: ").append(allowed_methods(kind)).append("\r\n");
    return response;
  }
  // RFC 9112 §3.2; only HTTP/1.0 may leave it out.
  if (!request.http_1_0 && !request.has_host) return error_response(400);
  if (!target) {
    return error_response(
        target.error().code == Errc::exhausted ? 414 : http_status(target.error().code));
  }
  if (const auto script = script_for(asked.route)) {
    asked.route = Route{.kind = *script, .tree = {}, .name = {}, .path = {}};
    return std::nullopt;
  }
  switch (kind) {
    case RouteKind::none: return error_response(404);
    case RouteKind::tree:
    case RouteKind::image:
    case RouteKind::asset:
    case RouteKind::loader: return file(request, asked.route);
    case RouteKind::status_page:
    case RouteKind::health:
    case RouteKind::metrics:
    case RouteKind::first_script:
    case RouteKind::machine_script:
    case RouteKind::grub_first:
    case RouteKind::grub_script:
    case RouteKind::kickstart:
    case RouteKind::event: break;
  }
  asked.query = parse_query(target->query, PlusSign::plus);
  return std::nullopt;
}

/// What loaders ask for by themselves gets a script of ours, unless the operator brought one.
std::optional<RouteKind> Responder::script_for(const Route& route) const {
  const auto script = script_instead(route);
  if (!script || find_file(services_.catalog, route).entry != nullptr) return std::nullopt;
  return script;
}

Response Responder::file(const Request& request, const Route& route) const {
  CatalogFile found = find_file(services_.catalog, route);
  if (found.entry == nullptr)
    return services_.catalog.active() ? error_response(404) : retry_response();
  return file_response(request, std::move(found));
}

Task<Response> Responder::rendered(const Request& request, const Peer& peer, Asked asked) const {
  switch (asked.route.kind) {
    case RouteKind::first_script:
      co_return rendered_response(services_.site.boot_first(peer.server));
    case RouteKind::machine_script:
      co_return co_await machine_script(request, peer, std::move(asked));
    case RouteKind::grub_first: co_return rendered_response(services_.site.grub_first(peer.server));
    case RouteKind::grub_script: co_return co_await grub_script(request, peer, std::move(asked));
    case RouteKind::kickstart: co_return co_await kickstart(request, peer, std::move(asked));
    case RouteKind::event: co_return co_await event(request, peer, std::move(asked));
    default: co_return page(asked.route.kind);
  }
}

Response Responder::page(RouteKind kind) const {
  const auto active = services_.catalog.active();
  switch (kind) {
    case RouteKind::status_page: {
      Response page = rendered_response(
          status_page(services_.site.status(), active.get(), services_.clock.wall()));
      page.content_type = "text/html; charset=utf-8";
      return page;
    }
    case RouteKind::health: {
      Response health = rendered_response(health_json(services_.site.status(), active.get()));
      health.content_type = "application/json";
      return health;
    }
    case RouteKind::metrics: {
      services_.site.count();
      Response metrics = rendered_response(services_.metrics.text());
      metrics.content_type = "text/plain; version=0.0.4; charset=utf-8";
      return metrics;
    }
    default: return error_response(404);
  }
}

Task<Response> Responder::machine_script(const Request& request, const Peer& peer,
                                         Asked asked) const {
  // iPXE's `params` come as a form (`chain … --params`); what stands in the URL goes first.
  QueryPairs form = parse_query(request.body, PlusSign::blank);
  std::move(form.begin(), form.end(), std::back_inserter(asked.query));
  ScriptRequest ask;
  ask.mac = asked.route.name;
  ask.uuid = fact(asked.query, "uuid");
  ask.serial = fact(asked.query, "serial");
  ask.manufacturer = fact(asked.query, "manufacturer");
  ask.product = fact(asked.query, "product");
  ask.asset = fact(asked.query, "asset");
  ask.buildarch = fact(asked.query, "buildarch");
  ask.platform = fact(asked.query, "platform");
  ask.client = peer.client;
  ask.server = peer.server;
  ask.head = request.method == Method::head;
  const std::string entry = fact(asked.query, "entry");
  const std::string menu = fact(asked.query, "menu");
  Result<std::string> script{std::string()};
  if (!entry.empty()) {
    script = co_await services_.site.entry_script(std::move(ask), entry);
  } else if (!menu.empty()) {
    script = services_.site.menu_script(std::move(ask), menu);
  } else {
    script = co_await services_.site.boot_script(std::move(ask));
  }
  co_return told(std::move(script), peer, {asked.route.name, entry, menu});
}

Task<Response> Responder::grub_script(const Request& request, const Peer& peer, Asked asked) const {
  GrubRequest ask;
  ask.path = asked.route.path;
  ask.client = peer.client;
  ask.server = peer.server;
  ask.head = request.method == Method::head;
  auto script = co_await services_.site.grub_script(std::move(ask));
  const auto grub = parse_grub_path(asked.route.path);
  co_return told(std::move(script), peer,
                 {asked.route.name, grub ? grub->entry : std::string(), {}});
}

Response Responder::told(Result<std::string> script, const Peer& peer, const Wanted& what) const {
  if (!script) {
    if (const auto left_out = services_.lines.script_failed.take(services_.clock.steady()))
      log::warn("http.script_failed", log::kv("client", peer.client), log::kv("mac", what.mac),
                log::kv("entry", printable(what.entry)), log::kv("menu", printable(what.menu)),
                log::kv("error", script.error().what), log::kv("left_out", *left_out));
    return failure_response(script.error());
  }
  if (const auto left_out = services_.lines.script.take(services_.clock.steady()))
    log::info("http.script", log::kv("client", peer.client), log::kv("mac", what.mac),
              log::kv("entry", printable(what.entry)), log::kv("menu", printable(what.menu)),
              log::kv("left_out", *left_out));
  return rendered_response(std::move(*script));
}

Task<Response> Responder::kickstart(const Request& request, const Peer& peer, Asked asked) const {
  KickstartRequest ask;
  ask.token = asked.route.name;
  ask.client = peer.client;
  ask.macs = normalised_macs(request.provisioning_macs);
  ask.serial = request.serial.substr(0, kFactBytesMax);
  ask.server = peer.server;
  ask.head = request.method == Method::head;
  auto text = co_await services_.site.kickstart(std::move(ask));
  if (!text) {
    // The token is a secret: it stays out of the log.
    if (const auto left_out = services_.lines.kickstart_failed.take(services_.clock.steady()))
      log::warn("http.kickstart_failed", log::kv("client", peer.client),
                log::kv("error", text.error().what), log::kv("left_out", *left_out));
    co_return failure_response(text.error());
  }
  if (const auto left_out = services_.lines.kickstart.take(services_.clock.steady()))
    log::info("http.kickstart", log::kv("client", peer.client), log::kv("bytes", text->size()),
              log::kv("left_out", *left_out));
  co_return rendered_response(std::move(*text));
}

Task<Response> Responder::event(const Request& request, const Peer& peer, Asked asked) const {
  const QueryPairs fields = event_fields(request, std::move(asked.query));
  EventRequest ask;
  ask.token = asked.route.name;
  ask.event = fact(fields, "event");
  ask.detail = query_value(fields, "detail").substr(0, kEventDetailBytesMax);
  ask.client = peer.client;
  if (ask.event.empty()) co_return error_response(400);
  auto taken = co_await services_.site.event(std::move(ask));
  if (!taken) {
    if (const auto left_out = services_.lines.event_failed.take(services_.clock.steady()))
      log::warn("http.event_failed", log::kv("client", peer.client),
                log::kv("error", taken.error().what), log::kv("left_out", *left_out));
    co_return failure_response(taken.error());
  }
  co_return rendered_response("ok\n");
}

}  // namespace farboot
