#include "agent/http/server.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/http/http_metrics.h"
#include "agent/http/services.h"
#include "agent/http/worker.h"
#include "common/base/log.h"

namespace farboot {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

constexpr int kBacklog = 1024;
constexpr Milliseconds kAcceptPause{100};  ///< when out of descriptors or memory

Errc bind_error(const boost::system::error_code& error) {
  if (error == asio::error::access_denied) return Errc::denied;
  if (error == asio::error::address_in_use) return Errc::conflict;
  if (error.value() == EADDRNOTAVAIL) return Errc::invalid;
  return Errc::internal;
}

asio::ip::address address_of(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    return asio::ip::address_v4(ntohl(in.sin_addr.s_addr));
  }
  sockaddr_in6 in{};
  std::memcpy(&in, &from, sizeof in);
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
  const asio::ip::address_v6 address(bytes, in.sin6_scope_id);
  if (address.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address);
  return address;
}

}  // namespace

/// Lives until the server and its last connection are gone. On the site's loop.
struct HttpServer::State final : SeatBook, std::enable_shared_from_this<State> {
  State(Loop& loop, DiskPool& disk, const ContentStore& store, Catalog& catalog, SiteHandlers& site,
        const Clock& clock, prometheus::Registry& registry, const HttpLimits& limits)
      : metrics(registry), services{loop,    disk,   store, catalog, site,        clock,
                                    metrics, limits, {},    {},      HttpLines(), {}} {}

  void left(const std::shared_ptr<Seat>& seat) override;
  bool scarce() const override { return served * 4 >= services.limits.connections_max * 3; }

  static Task<void> accept_all(std::shared_ptr<State> self, std::size_t index);
  /// False: nothing more to accept now.
  Task<bool> accept_one(Tcp::acceptor& acceptor);
  void take_in(int fd, const sockaddr_storage& from);
  Admission admit(const asio::ip::address& client);
  bool make_room();
  void start_workers();
  HttpWorker& idlest();

  HttpMetrics metrics;
  HttpServices services;
  std::vector<std::unique_ptr<HttpWorker>> workers;
  std::vector<std::unique_ptr<Tcp::acceptor>> acceptors;
  bool stopped = false;
  std::unordered_set<std::shared_ptr<Seat>> seats;
  std::map<asio::ip::address, std::size_t> by_client;
  std::atomic<std::size_t> served = 0;
  std::size_t refused = 0;
};

void HttpServer::State::start_workers() {
  if (!workers.empty()) return;
  for (std::size_t i = 0; i < std::max<std::size_t>(services.limits.workers, 1); ++i) {
    workers.push_back(std::make_unique<HttpWorker>(services));
    workers.back()->start(shared_from_this());
  }
}

HttpWorker& HttpServer::State::idlest() {
  return **std::min_element(workers.begin(), workers.end(),
                            [](const auto& a, const auto& b) { return a->seats < b->seats; });
}

/// Asks the connection that waits longest for its client's next request, or the rest of it, to go.
/// Should that request come before it is asked, there is one connection too many.
bool HttpServer::State::make_room() {
  std::shared_ptr<Seat> oldest;
  std::optional<Waiting::Since> oldest_since;
  for (const auto& seat : seats) {
    const auto since = seat->waiting.since();
    if (!since || seat->asked_away == since) continue;
    if (oldest_since && *oldest_since <= *since) continue;
    oldest = seat;
    oldest_since = since;
  }
  if (!oldest) return false;
  oldest->asked_away = oldest_since;
  oldest->worker->give_way(oldest, *oldest_since);
  return true;
}

Admission HttpServer::State::admit(const asio::ip::address& client) {
  const auto known = by_client.find(client);
  if (known != by_client.end() && known->second >= services.limits.connections_per_client_max) {
    metrics.refused(Refusal::client_connections);
    return Admission::refused;
  }
  const std::size_t most = services.limits.connections_max;
  const bool over = served >= most + services.limits.refusals_max;
  if (over || (served >= most && !make_room())) {
    metrics.refused(Refusal::connections);
    return Admission::refused;
  }
  return Admission::served;
}

void HttpServer::State::left(const std::shared_ptr<Seat>& seat) {
  seats.erase(seat);
  --seat->worker->seats;
  if (seat->admission == Admission::refused) {
    --refused;
  } else {
    --served;
    const auto count = by_client.find(seat->client);
    if (--count->second == 0) by_client.erase(count);
  }
  metrics.connections(seats.size());
  seat->work.reset();
}

void HttpServer::State::take_in(int fd, const sockaddr_storage& from) {
  const auto seat = std::make_shared<Seat>();
  seat->worker = &idlest();
  Tcp::socket socket(seat->worker->loop());
  boost::system::error_code error;
  socket.assign(from.ss_family == AF_INET ? Tcp::v4() : Tcp::v6(), fd, error);
  if (error) {
    ::close(fd);
    return;
  }
  seat->client = address_of(from);
  seat->admission = admit(seat->client);
  if (seat->admission == Admission::refused) {
    if (refused >= services.limits.refusals_max) return;  // closes it
    ++refused;
  } else {
    ++served;
    ++by_client[seat->client];
  }
  seat->work.emplace(services.loop.get_executor());
  ++seat->worker->seats;
  seats.insert(seat);
  metrics.connections(seats.size());
  seat->worker->adopt(shared_from_this(), seat, std::move(socket));
}

Task<bool> HttpServer::State::accept_one(Tcp::acceptor& acceptor) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  const int fd = ::accept4(acceptor.native_handle(), reinterpret_cast<sockaddr*>(&from), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) co_return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) co_return false;
    const std::string why = std::strerror(errno);
    if (const auto left_out = services.lines.accept_failed.take(services.clock.steady()))
      log::error("http.accept_failed", log::kv("error", why), log::kv("left_out", *left_out));
    asio::steady_timer pause(services.loop, kAcceptPause);
    boost::system::error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_return false;
  }
  take_in(fd, from);
  co_return true;
}

Task<void> HttpServer::State::accept_all(std::shared_ptr<State> self, std::size_t index) {
  Tcp::acceptor& acceptor = *self->acceptors[index];
  while (!self->stopped) {
    boost::system::error_code error;
    co_await acceptor.async_wait(Tcp::acceptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, error));
    while (!self->stopped) {
      const bool more = co_await self->accept_one(acceptor);
      if (!more) break;
      co_await asio::post(self->services.loop, asio::use_awaitable);
    }
  }
}

HttpServer::HttpServer(Loop& loop, DiskPool& disk, const ContentStore& store, Catalog& catalog,
                       SiteHandlers& site, const Clock& clock, prometheus::Registry& registry,
                       const HttpLimits& limits)
    : state_(std::make_shared<State>(loop, disk, store, catalog, site, clock, registry, limits)) {
  // sendfile(2) to a client that left raises it, and has no flag against that.
  std::signal(SIGPIPE, SIG_IGN);
}

HttpServer::~HttpServer() { join(); }

void HttpServer::join() {
  stop();
  for (const auto& worker : state_->workers) worker->join();
}

Result<std::uint16_t> HttpServer::listen(const std::string& address, std::uint16_t port) {
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  if (error) return fail(Errc::invalid, "http: `{}` is not an address", address);
  const Tcp::endpoint endpoint(parsed, port);
  auto acceptor = std::make_unique<Tcp::acceptor>(state_->services.loop);
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(Tcp::acceptor::reuse_address(true), error);
  // Accepted sockets inherit it. Heads and ends of bodies go out at once.
  if (!error) acceptor->set_option(Tcp::no_delay(true), error);
  if (!error) acceptor->non_blocking(true, error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(kBacklog, error);
  if (error) {
    return fail(bind_error(error), "http: cannot listen on {} port {}: {}", address, port,
                error.message());
  }
  const std::uint16_t bound = acceptor->local_endpoint().port();
  state_->start_workers();
  state_->acceptors.push_back(std::move(acceptor));
  spawn(state_->services.loop, "http.accept",
        State::accept_all(state_, state_->acceptors.size() - 1));
  log::info("http.listening", log::kv("address", address), log::kv("port", bound));
  return bound;
}

void HttpServer::stop() {
  if (std::exchange(state_->stopped, true)) return;
  boost::system::error_code ignored;
  for (const auto& acceptor : state_->acceptors) acceptor->close(ignored);
  for (const auto& worker : state_->workers) worker->stop();
}

std::size_t HttpServer::connections() const { return state_->seats.size(); }

}  // namespace farboot
