// One thread of the HTTP server, with a loop of its own and the connections that live on it: bulk
// data leaves from here, so that DHCP, TFTP and the link never wait for it.
#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <unordered_set>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/http/connection.h"
#include "agent/http/services.h"
#include "agent/http/site_desk.h"
#include "agent/loop.h"

namespace farboot {

class HttpWorker;

/// A connection as the server counts it. Shared by both; who may touch what stands beside it.
struct Seat {
  using Work = boost::asio::executor_work_guard<Loop::executor_type>;

  boost::asio::ip::address client;           ///< constant
  Admission admission = Admission::served;   ///< constant
  HttpWorker* worker = nullptr;              ///< constant; outlives the seat's connection
  Waiting waiting;                           ///< written by the worker, read by the server
  Connection* connection = nullptr;          ///< worker; nullptr: not yet begun, or over
  std::optional<Waiting::Since> asked_away;  ///< server: the wait in which it was asked to go
  std::optional<Work> work;                  ///< server: the site's loop has this to wait for
};

/// The server, as its workers know it.
class SeatBook {
 public:
  virtual ~SeatBook() = default;
  /// On the site's loop: the connection is over, its socket closed.
  virtual void left(const std::shared_ptr<Seat>& seat) = 0;
  /// Any thread: places are scarce, slow clients must go.
  virtual bool scarce() const = 0;
};

/// Called by the server on the site's loop; everything else happens on the worker's thread.
class HttpWorker {
 public:
  /// `site` are the services of the site's loop. All borrowed.
  explicit HttpWorker(HttpServices& site);
  /// After join().
  ~HttpWorker() = default;
  HttpWorker(const HttpWorker&) = delete;
  HttpWorker& operator=(const HttpWorker&) = delete;

  void start(const std::shared_ptr<SeatBook>& book);

  /// Where its sockets must be made.
  Loop& loop() { return loop_; }
  /// Serves `socket` until the client, a deadline or the server ends it.
  void adopt(std::shared_ptr<SeatBook> book, std::shared_ptr<Seat> seat,
             boost::asio::ip::tcp::socket socket);
  /// Ends the connection if it still waits as it did at `since`.
  void give_way(std::shared_ptr<Seat> seat, Waiting::Since since);
  /// Cuts all connections; what is adopted later ends at once.
  void stop();
  /// Until the last connection is over. After stop(), and while the disk pool still runs.
  void join();

  std::size_t seats = 0;  ///< the server's count

 private:
  Task<void> serve(std::shared_ptr<SeatBook> book, std::shared_ptr<Seat> seat,
                   boost::asio::ip::tcp::socket socket);
  Task<void> watch_deadlines(std::shared_ptr<SeatBook> book);

  Loop loop_{1};
  HttpServices services_;
  SiteDesk desk_;
  std::optional<Seat::Work> running_;
  std::thread thread_;
  boost::asio::steady_timer ticker_;
  std::unordered_set<Connection*> open_;
  bool stopped_ = false;
};

}  // namespace farboot
