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
#include <nlohmann/json.hpp>

#include "common/base/log.h"

namespace farboot {
namespace {

using boost::asio::local::stream_protocol;

constexpr std::string_view kInstall = "install ";
constexpr std::string_view kSnippet = "snippet ";
constexpr std::string_view kDoctor = "doctor";
constexpr std::string_view kError = "error ";
constexpr std::string_view kOk = "ok ";
constexpr std::size_t kReplyBytesMax = 4 << 20;  ///< every finding at its longest
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

/// One at a time: it is for people, and nobody can pile up connections. An examination takes its
/// time beside them; who waits for one is counted by the doctor.
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
  std::string said;
  if (line == kDoctor) {
    const auto begun = examine(socket);
    if (begun) co_return;
    said = fmt::format("{}{}\n", kError, begun.error().what);
  } else {
    said = co_await answer(std::move(line));
  }
  patience.cancel();
  co_await reply(loop_, std::move(socket), std::move(said));
}

Task<void> LocalControl::reply(Loop& loop, std::shared_ptr<Socket> socket, std::string text) {
  boost::asio::steady_timer patience(loop, kPatience);
  patience.async_wait([socket](const boost::system::error_code& stopped) {
    boost::system::error_code ignored;
    if (!stopped) socket->close(ignored);
  });
  const auto [unsent, written] = co_await boost::asio::async_write(
      *socket, boost::asio::buffer(text), boost::asio::as_tuple(boost::asio::use_awaitable));
  static_cast<void>(unsent);
  static_cast<void>(written);
}

Result<void> LocalControl::examine(const std::shared_ptr<Socket>& socket) {
  if (!questions_.examine) return fail(Errc::not_found, "no examination is possible here");
  return questions_.examine([&loop = loop_, socket](const std::vector<doctor::Finding>& findings) {
    std::string text = fmt::format("{}{}\n", kOk, doctor::findings_json(findings, -1));
    spawn(loop, "site.findings", reply(loop, socket, std::move(text)));
  });
}

Task<std::string> LocalControl::answer(std::string line) {
  if (line.starts_with(kSnippet) && questions_.snippet) {
    const auto text = questions_.snippet(line.substr(kSnippet.size()));
    if (!text) co_return fmt::format("{}{}\n", kError, text.error().what);
    co_return fmt::format("{}{}\n", kOk, nlohmann::json(*text).dump());
  }
  if (!line.starts_with(kInstall)) co_return std::string(kError) + "not understood\n";
  std::string host = line.substr(kInstall.size());
  auto armed = co_await hosts_.arm(host);
  if (!armed) co_return fmt::format("{}{}\n", kError, armed.error().what);
  log::info("site.order", log::kv("host", host));
  co_return fmt::format("{}{}\n", kOk, printable(host));
}

namespace {

/// One line there, one line back, without its `ok`.
Result<std::string> tell_agent(const std::filesystem::path& socket, std::string line) {
  const auto endpoint = endpoint_of(socket);
  if (!endpoint) return endpoint.error();
  boost::asio::io_context context;
  stream_protocol::socket connection(context);
  boost::system::error_code error;
  connection.connect(*endpoint, error);
  if (error)
    return fail(Errc::unavailable, "{}: {}; does the agent run, and is this its user or root?",
                socket.native(), error.message());
  line += '\n';
  boost::asio::write(connection, boost::asio::buffer(line), error);
  boost::asio::streambuf buffer(kReplyBytesMax);
  const std::size_t bytes = error ? 0 : boost::asio::read_until(connection, buffer, '\n', error);
  if (error || bytes == 0)
    return fail(Errc::unavailable, "{}: no answer: {}", socket.native(), error.message());
  const auto parts = buffer.data();
  std::string reply(boost::asio::buffers_begin(parts),
                    boost::asio::buffers_begin(parts) + static_cast<std::ptrdiff_t>(bytes - 1));
  if (reply.starts_with(kError))
    return fail(Errc::invalid, "{}", printable(reply.substr(kError.size()), reply.size()));
  return reply.substr(std::min(reply.size(), kOk.size()));
}

}  // namespace

Result<void> order_at_agent(const std::filesystem::path& socket, const std::string& host) {
  if (host.empty() || host.size() + kInstall.size() >= LocalControl::kLineBytesMax ||
      host.find('\n') != std::string::npos)
    return fail(Errc::invalid, "host {}: not a name or MAC", printable(host));
  const auto told = tell_agent(socket, std::string(kInstall) + host);
  if (!told) return told.error();
  return {};
}

Result<std::vector<doctor::Finding>> examine_at_agent(const std::filesystem::path& socket) {
  const auto told = tell_agent(socket, std::string(kDoctor));
  if (!told) return told.error();
  return doctor::findings_from_json(*told);
}

Result<std::string> snippet_at_agent(const std::filesystem::path& socket, const std::string& kind) {
  const auto told = tell_agent(socket, std::string(kSnippet) + kind);
  if (!told) return told.error();
  const auto text = nlohmann::json::parse(*told, nullptr, false);
  if (!text.is_string()) return fail(Errc::invalid, "the agent's answer is no text");
  return text.get<std::string>();
}

}  // namespace farboot
