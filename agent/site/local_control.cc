#include "agent/site/local_control.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include "common/base/log.h"

namespace farboot {
namespace {

using boost::asio::local::stream_protocol;

constexpr std::string_view kInstall = "install ";
constexpr std::string_view kError = "error ";
constexpr mode_t kOwnerAndGroup = 0660;
constexpr Seconds kAcceptAgain{1};

/// sun_path is short; a longer path throws in Asio.
Result<stream_protocol::endpoint> endpoint_of(const std::filesystem::path& socket) {
  if (socket.native().size() >= sizeof(sockaddr_un::sun_path))
    return fail(Errc::unavailable, "{}: too long for the name of a socket", socket.native());
  return stream_protocol::endpoint(socket.native());
}

}  // namespace

Result<void> LocalControl::listen(const std::filesystem::path& socket) {
  const auto endpoint = endpoint_of(socket);
  if (!endpoint) return endpoint.error();
  // Of a run that was killed: the database's lock says that no other one is alive.
  std::error_code none_there;
  std::filesystem::remove(socket, none_there);
  boost::system::error_code error;
  acceptor_.open(endpoint->protocol(), error);
  if (!error) acceptor_.bind(*endpoint, error);
  if (!error) acceptor_.listen(stream_protocol::socket::max_listen_connections, error);
  if (error) return fail(Errc::unavailable, "{}: {}", socket.native(), error.message());
  if (::chmod(socket.c_str(), kOwnerAndGroup) != 0)
    return fail(Errc::unavailable, "{}: its mode cannot be set", socket.native());
  spawn(loop_, "site.control", accept());
  return {};
}

void LocalControl::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

/// One at a time: it is for people, and nobody can pile up connections.
Task<void> LocalControl::accept() {
  for (;;) {
    auto socket = std::make_shared<Socket>(loop_);
    const auto [error] =
        co_await acceptor_.async_accept(*socket, boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error == boost::asio::error::operation_aborted || !acceptor_.is_open()) co_return;
    if (!error) {
      co_await serve(std::move(socket));
      continue;
    }
    boost::asio::steady_timer later(loop_, kAcceptAgain);  // out of descriptors, say
    co_await later.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
}

Task<void> LocalControl::serve(std::shared_ptr<Socket> socket) {
  boost::asio::steady_timer patience(loop_, kPatience);
  patience.async_wait([socket](const boost::system::error_code& stopped) {
    boost::system::error_code ignored;
    if (!stopped) socket->close(ignored);
  });
  boost::asio::streambuf buffer(kLineBytesMax);
  const auto [error, bytes] = co_await boost::asio::async_read_until(
      *socket, buffer, '\n', boost::asio::as_tuple(boost::asio::use_awaitable));
  if (error) co_return;
  const auto* text = static_cast<const char*>(buffer.data().data());
  std::string line(text, bytes - 1);
  const std::string reply = co_await answer(std::move(line));
  const auto [unsent, written] = co_await boost::asio::async_write(
      *socket, boost::asio::buffer(reply), boost::asio::as_tuple(boost::asio::use_awaitable));
  static_cast<void>(unsent);
  static_cast<void>(written);
}

Task<std::string> LocalControl::answer(std::string line) {
  if (!line.starts_with(kInstall)) co_return std::string(kError) + "not understood\n";
  std::string host = line.substr(kInstall.size());
  auto armed = co_await hosts_.arm(host);
  if (!armed) co_return fmt::format("{}{}\n", kError, armed.error().what);
  log::info("site.order", log::kv("host", host));
  co_return fmt::format("ok {}\n", printable(host));
}

Result<void> order_at_agent(const std::filesystem::path& socket, const std::string& host) {
  if (host.empty() || host.size() + kInstall.size() >= LocalControl::kLineBytesMax ||
      host.find('\n') != std::string::npos)
    return fail(Errc::invalid, "host {}: not a name or MAC", printable(host));
  const auto endpoint = endpoint_of(socket);
  if (!endpoint) return endpoint.error();
  boost::asio::io_context context;
  stream_protocol::socket connection(context);
  boost::system::error_code error;
  connection.connect(*endpoint, error);
  if (error)
    return fail(Errc::unavailable, "{}: {}; does the agent run, and is this its user or root?",
                socket.native(), error.message());
  const std::string line = fmt::format("{}{}\n", kInstall, host);
  boost::asio::write(connection, boost::asio::buffer(line), error);
  boost::asio::streambuf buffer(2 * LocalControl::kLineBytesMax);
  const std::size_t bytes = error ? 0 : boost::asio::read_until(connection, buffer, '\n', error);
  if (error || bytes == 0)
    return fail(Errc::unavailable, "{}: no answer: {}", socket.native(), error.message());
  std::string reply(static_cast<const char*>(buffer.data().data()), bytes - 1);
  if (reply.starts_with(kError))
    return fail(Errc::invalid, "{}", printable(reply.substr(kError.size()), reply.size()));
  return {};
}

}  // namespace farboot
