#include "agent/http/worker.h"

#include <pthread.h>
#include <signal.h>

#include <functional>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace farboot {
namespace {

namespace asio = boost::asio;

/// A thread that takes no signals: those are the main thread's.
std::thread quiet_thread(std::function<void()> body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), "http");
  return thread;
}

}  // namespace

HttpWorker::HttpWorker(HttpServices& site)
    : services_{loop_,        site.disk,   site.store, site.catalog, site.site,   site.clock,
                site.metrics, site.limits, {},         {},           HttpLines(), {}},
      desk_(services_, site),
      ticker_(loop_) {}

void HttpWorker::start(const std::shared_ptr<SeatBook>& book) {
  running_.emplace(loop_.get_executor());
  desk_.start(book);
  spawn(loop_, "http.deadlines", watch_deadlines(book));
  thread_ = quiet_thread([this] { loop_.run(); });
}

void HttpWorker::adopt(std::shared_ptr<SeatBook> book, std::shared_ptr<Seat> seat,
                       asio::ip::tcp::socket socket) {
  spawn(loop_, "http.connection", serve(std::move(book), std::move(seat), std::move(socket)));
}

void HttpWorker::give_way(std::shared_ptr<Seat> seat, Waiting::Since since) {
  asio::post(loop_, [this, seat = std::move(seat), since] {
    if (seat->connection == nullptr || seat->waiting.since() != since) return;
    services_.metrics.displaced();
    seat->connection->give_way();
  });
}

void HttpWorker::stop() {
  asio::post(loop_, [this] {
    stopped_ = true;
    ticker_.cancel();
    desk_.stop();
    for (Connection* connection : open_) connection->channel().abort();
  });
}

void HttpWorker::join() {
  running_.reset();
  if (thread_.joinable()) thread_.join();
}

Task<void> HttpWorker::serve(std::shared_ptr<SeatBook> book, std::shared_ptr<Seat> seat,
                             asio::ip::tcp::socket accepted) {
  // Last of all, when the socket is closed, the server hears of it.
  struct Left {
    Loop& site_loop;
    std::shared_ptr<SeatBook>& book;
    std::shared_ptr<Seat>& seat;
    ~Left() {
      asio::post(site_loop, [book = std::move(book), seat = std::move(seat)] { book->left(seat); });
    }
  };
  const Left left{desk_.site_loop(), book, seat};
  asio::ip::tcp::socket socket = std::move(accepted);  // a parameter would outlive `left`
  if (stopped_) co_return;
  Connection connection(services_, desk_, std::move(socket), seat->client.to_string(),
                        seat->admission, seat->waiting);
  struct Registered {
    std::unordered_set<Connection*>& open;
    Seat& seat;
    ~Registered() {
      open.erase(seat.connection);
      seat.connection = nullptr;
      seat.waiting.end();
    }
  };
  const Registered registered{open_, *seat};
  seat->connection = &connection;
  open_.insert(&connection);
  co_await connection.run();
}

Task<void> HttpWorker::watch_deadlines(std::shared_ptr<SeatBook> book) {
  while (!stopped_) {
    ticker_.expires_after(services_.limits.tick);
    boost::system::error_code ignored;
    co_await ticker_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const SteadyTime now = services_.clock.steady();
    for (Connection* connection : open_) {
      const bool slow = book->scarce() && connection->crawls(now);
      if (slow || connection->channel().overdue(now)) connection->channel().expire();
    }
  }
}

}  // namespace farboot
