// The site's HTTP/1.1 server: trees by sendfile(2) from the store, scripts and kickstarts rendered.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/catalog/catalog.h"
#include "agent/http/request.h"
#include "agent/http/site_handlers.h"
#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/store/content_store.h"

namespace prometheus {
class Registry;
}

namespace farboot {

struct HttpLimits {
  /// Threads that send; at least one. The site's loop has none of it to do.
  std::size_t workers = 2;
  /// Served at once. Beyond it, whoever has been waiting longest between two requests gives way.
  std::size_t connections_max = 1024;
  std::size_t connections_per_client_max = 64;  ///< by address
  /// Answered 503 at once; more are just closed. Also how far connections_max may be exceeded while
  /// some are asked to give way.
  std::size_t refusals_max = 64;
  RequestLimits request;
  Milliseconds head_timeout{20'000};   ///< first byte of a request to the end of its head
  Milliseconds body_timeout{20'000};   ///< of a request's body
  Milliseconds idle_timeout{60'000};   ///< between requests; then FIN
  Milliseconds stall_timeout{60'000};  ///< a client that takes no byte for so long is cut off
  /// While three quarters of the connections are taken, a client must take so much.
  std::uint64_t rate_min_bytes_per_second = 1024;
  Milliseconds rate_window{10'000};
  Milliseconds linger_timeout{2'000};  ///< for the client to read an error before we close
  Milliseconds tick{1'000};            ///< how often deadlines are looked at
};

/// Called on the loop; that is where connections are let in and `site` is asked. They live on the
/// workers' threads. What it borrows outlives it, and outlives the loop's last run.
class HttpServer {
 public:
  HttpServer(Loop& loop, DiskPool& disk, const ContentStore& store, Catalog& catalog,
             SiteHandlers& site, const Clock& clock, prometheus::Registry& registry,
             const HttpLimits& limits = {});
  /// join().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// May be called for several addresses, before the loop runs or on it. Returns the port, which
  /// the kernel chose for port 0. Errors: invalid, denied (privileged port), conflict (in use),
  /// internal.
  Result<std::uint16_t> listen(const std::string& address, std::uint16_t port);

  /// Takes no more connections and cuts those there are. The loop has work until it has heard of
  /// the last one's end.
  void stop();

  /// stop(), and waits for the workers' threads, which may wait for the disk pool: before that
  /// ends.
  void join();

  std::size_t connections() const;  ///< loop only

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace farboot
