// From a request to its response: routes to the catalog and to the site's handlers.
#pragma once

#include <optional>
#include <string>

#include "agent/http/response.h"
#include "agent/http/routes.h"
#include "agent/http/services.h"
#include "agent/loop.h"

namespace farboot {

/// The two ends of a connection, as text.
struct Peer {
  std::string client;  ///< address without port
  std::string server;  ///< base URL as the client reached us
};

/// What a request asks for, or the answer it gets at once.
struct Asked {
  Route route;
  QueryPairs query;
};

class Responder {
 public:
  explicit Responder(HttpServices& services) : services_(services) {}

  /// Everything that needs nobody else: files and errors. nullopt: ask rendered().
  std::optional<Response> at_once(const Request& request, Asked& asked) const;
  /// Scripts, kickstarts, events and our own pages. On the site's loop.
  Task<Response> rendered(const Request& request, const Peer& peer, Asked asked) const;

 private:
  std::optional<RouteKind> script_for(const Route& route) const;
  Response file(const Request& request, const Route& route) const;
  Response page(RouteKind kind) const;
  Task<Response> machine_script(const Request& request, const Peer& peer, Asked asked) const;
  Task<Response> grub_script(const Request& request, const Peer& peer, Asked asked) const;
  /// What a machine asked for, as the log has it.
  struct Wanted {
    std::string_view mac, entry, menu;
  };
  Response told(Result<std::string> script, const Peer& peer, const Wanted& what) const;
  Task<Response> kickstart(const Request& request, const Peer& peer, Asked asked) const;
  Task<Response> event(const Request& request, const Peer& peer, Asked asked) const;

  HttpServices& services_;
};

}  // namespace farboot
