#include "agent/http/channel.h"

#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace farboot {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

Error client_gone(int code) { return fail(Errc::cancelled, "client: {}", std::strerror(code)); }

void set_cork(int fd, int on) { ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }

}  // namespace

Channel::Channel(Tcp::socket socket, const Clock& clock, Milliseconds stall_timeout)
    : socket_(std::move(socket)), clock_(clock), stall_timeout_(stall_timeout) {}

Error Channel::ended() const {
  return expired_ ? fail(Errc::timeout, "client: too slow")
                  : fail(Errc::cancelled, "server: stops");
}

Result<void> Channel::outcome(const boost::system::error_code& error) const {
  if (expired_ || aborted_) return ended();
  if (error) return fail(Errc::cancelled, "client: {}", error.message());
  return {};
}

/// By Asio: a wait for the socket alone would set its events anew each time, and be told first that
/// it can be written to if it ever waited for that.
Task<Result<std::size_t>> Channel::receive(std::span<char> into) {
  boost::system::error_code error;
  if (auto before = outcome(error); !before) co_return before.error();
  const std::size_t n = co_await socket_.async_read_some(
      asio::buffer(into.data(), into.size()), asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::eof) error.clear();  // and n is 0
  if (auto read = outcome(error); !read) co_return read.error();
  co_return n;
}

Task<Result<void>> Channel::writable() {
  boost::system::error_code error;
  if (auto before = outcome(error); !before) co_return before.error();
  deadline_in(stall_timeout_);
  waits_for_client_ = true;
  co_await socket_.async_wait(Tcp::socket::wait_write,
                              asio::redirect_error(asio::use_awaitable, error));
  waits_for_client_ = false;
  co_return outcome(error);
}

Task<Result<void>> Channel::send(std::string_view first, std::string_view second, Flush flush) {
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (flush == Flush::more_follows ? MSG_MORE : 0);
  while (!first.empty() || !second.empty()) {
    if (aborted_) co_return ended();
    std::array<iovec, 2> parts{{{const_cast<char*>(first.data()), first.size()},
                                {const_cast<char*>(second.data()), second.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t n = ::sendmsg(socket_.native_handle(), &message, flags);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return client_gone(errno);
      auto ready = co_await writable();
      if (!ready) co_return ready.error();
      continue;
    }
    sent_bytes_ += static_cast<std::uint64_t>(n);
    const auto of_first = std::min(first.size(), static_cast<std::size_t>(n));
    first.remove_prefix(of_first);
    second.remove_prefix(static_cast<std::size_t>(n) - of_first);
  }
  co_return Result<void>();
}

Result<std::size_t> Channel::try_send_file(int fd, std::uint64_t offset, std::size_t size) {
  while (true) {
    if (aborted_) return ended();
    off_t at = static_cast<off_t>(offset);
    const ssize_t n = ::sendfile(socket_.native_handle(), fd, &at, size);
    if (n > 0) {
      sent_bytes_ += static_cast<std::uint64_t>(n);
      return static_cast<std::size_t>(n);
    }
    if (n == 0) return fail(Errc::corrupt, "pack file: ends early");
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    if (errno == EIO) return fail(Errc::corrupt, "pack file: {}", std::strerror(errno));
    return client_gone(errno);
  }
}

Task<void> Channel::yield() { co_await asio::post(socket_.get_executor(), asio::use_awaitable); }

void Channel::cork() { set_cork(socket_.native_handle(), 1); }
void Channel::uncork() { set_cork(socket_.native_handle(), 0); }

void Channel::finish_writing() {
  boost::system::error_code ignored;
  socket_.shutdown(Tcp::socket::shutdown_send, ignored);
}

void Channel::expire() {
  no_deadline();
  expired_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Channel::abort() {
  aborted_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

Tcp::endpoint Channel::local() const {
  boost::system::error_code ignored;
  return socket_.local_endpoint(ignored);
}

}  // namespace farboot
