// A client's socket, non-blocking, with one deadline. On its connection's loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace farboot {

/// Whether more bytes follow at once: then the kernel waits for them to fill a packet.
enum class Flush : std::uint8_t {
  now,
  more_follows
};

/// Errors of all operations: cancelled (the client is gone, or the server stops), timeout (the
/// deadline passed).
class Channel {
 public:
  /// `stall_timeout`: how long one send may make no progress.
  Channel(boost::asio::ip::tcp::socket socket, const Clock& clock, Milliseconds stall_timeout);

  /// At least one byte; 0: the client ended its side. Lets others have the loop, even if bytes are
  /// there already.
  Task<Result<std::size_t>> receive(std::span<char> into);
  /// Both texts, whole, as one packet where they fit.
  Task<Result<void>> send(std::string_view first, std::string_view second, Flush flush);
  Task<Result<void>> send(std::string_view text, Flush flush) {
    return send(text, std::string_view(), flush);
  }
  /// One sendfile(2): the bytes that went out; 0: the socket is full. Errors: also corrupt (the
  /// file ended, or could not be read).
  Result<std::size_t> try_send_file(int fd, std::uint64_t offset, std::size_t size);
  /// Until the socket takes bytes again.
  Task<Result<void>> writable();
  /// Lets others have the loop.
  Task<void> yield();

  /// Between the two, only full packets go out.
  void cork();
  void uncork();

  void finish_writing();  ///< FIN; receiving goes on

  /// Also after expire(): there is something to be said yet, and some time for it.
  void deadline_in(Milliseconds time) {
    deadline_ = clock_.steady() + time;
    expired_ = false;
  }
  void no_deadline() { deadline_ = SteadyTime::max(); }
  bool overdue(SteadyTime now) const { return now > deadline_; }
  /// Ends what waits, and each wait until the next deadline_in(), with `timeout`; what the socket
  /// takes at once still goes out.
  void expire();
  /// The same with `cancelled`.
  void abort();
  bool aborted() const { return aborted_; }

  /// Taken by the kernel so far.
  std::uint64_t sent_bytes() const { return sent_bytes_; }
  /// The kernel has no room for more: the client must take something first.
  bool waits_for_client() const { return waits_for_client_; }

  boost::asio::ip::tcp::endpoint local() const;

 private:
  Error ended() const;
  /// Of an operation on the socket; with no error: whether one may begin.
  Result<void> outcome(const boost::system::error_code& error) const;

  boost::asio::ip::tcp::socket socket_;
  const Clock& clock_;
  Milliseconds stall_timeout_;
  SteadyTime deadline_ = SteadyTime::max();
  std::uint64_t sent_bytes_ = 0;
  bool waits_for_client_ = false;
  bool expired_ = false;
  bool aborted_ = false;
};

}  // namespace farboot
