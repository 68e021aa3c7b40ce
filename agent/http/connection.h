// One client's connection: requests in, responses out, in order.
#pragma once

#include <atomic>
#include <limits>
#include <optional>
#include <string>

#include "agent/http/channel.h"
#include "agent/http/responder.h"
#include "agent/http/services.h"
#include "agent/http/site_desk.h"
#include "agent/loop.h"

namespace farboot {

/// How a connection was let in.
enum class Admission : std::uint8_t {
  served,
  refused,  ///< over a limit: its first request is answered 503
};

/// Since when a connection waits for a request, or the rest of one; nullopt: it does something, or
/// was refused anyhow. Written on its loop, read on any thread.
class Waiting {
 public:
  using Since = SteadyTime;

  void begin(SteadyTime now) { since_ = now.time_since_epoch().count(); }
  void end() { since_ = kNot; }
  std::optional<Since> since() const {
    const SteadyTime::rep since = since_;
    if (since == kNot) return std::nullopt;
    return SteadyTime(SteadyTime::duration(since));
  }

 private:
  static constexpr SteadyTime::rep kNot = std::numeric_limits<SteadyTime::rep>::min();
  std::atomic<SteadyTime::rep> since_{kNot};
};

class Connection {
 public:
  Connection(HttpServices& services, SiteDesk& desk, boost::asio::ip::tcp::socket socket,
             std::string client, Admission admission, Waiting& waiting);

  /// Until the client, a deadline or the server ends it.
  Task<void> run();

  Channel& channel() { return channel_; }

  /// Another client gets its place.
  void give_way();
  /// Asked again and again: has the client taken less than the minimum rate for a whole window?
  bool crawls(SteadyTime now);

 private:
  struct Received {
    std::optional<Request> request;
    int status = 0;  ///< without a request: answer this and close; 0: just close
  };

  Task<Received> receive();
  Task<bool> answer(Request request);
  Task<bool> send(Response response, const Request* request, const Asked& asked);
  Task<bool> send_file(Response& response, const Request* request, const Asked& asked);
  Task<void> refuse(int status);
  Task<void> linger();
  void report_lost(const CatalogFile& file, const Error& error);

  HttpServices& services_;
  SiteDesk& desk_;
  Channel channel_;
  Peer peer_;
  Admission admission_;
  std::string input_;  ///< received, not yet parsed
  Waiting& waiting_;
  std::optional<SteadyTime> window_begin_;  ///< of the rate
  std::uint64_t window_bytes_ = 0;          ///< sent before it
};

}  // namespace farboot
