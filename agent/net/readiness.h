// Waits on the loop for a descriptor that belongs to somebody else.
#pragma once

#include <tuple>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "agent/loop.h"

namespace farboot {

/// Must be destroyed or closed before the descriptor is.
class Readiness {
 public:
  Readiness(Loop& loop, int fd) : descriptor_(loop, fd) {}
  ~Readiness() { close(); }
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// Until there is something to read, or an error to fetch. The error code is set if cancel() or
  /// close() ended it.
  Task<std::tuple<boost::system::error_code>> readable() {
    return descriptor_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                                  boost::asio::as_tuple(boost::asio::use_awaitable));
  }
  void cancel() {
    boost::system::error_code ignored;
    descriptor_.cancel(ignored);
  }
  /// Ends a wait, and every later one at once.
  void close() {
    if (descriptor_.is_open()) descriptor_.release();
  }

 private:
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace farboot
