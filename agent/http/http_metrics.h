// Counters of the HTTP server, and the text of all metrics of this daemon.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/http/routes.h"

namespace prometheus {
class Registry;
}

namespace farboot {

enum class Refusal : std::uint8_t {
  connections,         ///< too many altogether
  client_connections,  ///< too many of one client
};

/// Thread-safe. Borrows the registry.
class HttpMetrics {
 public:
  explicit HttpMetrics(prometheus::Registry& registry);
  ~HttpMetrics();

  void answered(RouteKind route, int status);
  void sent(RouteKind route, std::uint64_t body_bytes);
  void sending_failed();  ///< a body ended short: client gone, too slow, or a chunk is lost
  void chunk_lost();      ///< a chunk could not be opened or read
  void refused(Refusal why);
  void displaced();  ///< an idle connection gave way to another client's
  void connections(std::size_t open);

  /// Everything in the registry, in Prometheus' text format.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot
