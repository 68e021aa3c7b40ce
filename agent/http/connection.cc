#include "agent/http/connection.h"

#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "agent/http/body_sender.h"
#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::size_t kReceiveBytes = 4096;  ///< at once; a head is a few hundred
/// Bytes of a request we refuse that are read and dropped, so that our answer arrives (closing with
/// unread bytes sends RST, which would overtake it).
constexpr std::size_t kLingerBytesMax = 256 * 1024;
constexpr std::uint16_t kHttpPort = 80;

std::string base_url(const boost::asio::ip::tcp::endpoint& local) {
  auto address = local.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  }
  const std::string host = address.is_v6() ? '[' + address.to_string() + ']' : address.to_string();
  if (local.port() == kHttpPort) return "http://" + host;
  return fmt::format("http://{}:{}", host, local.port());
}

}  // namespace

Connection::Connection(HttpServices& services, SiteDesk& desk, boost::asio::ip::tcp::socket socket,
                       std::string client, Admission admission, Waiting& waiting)
    : services_(services),
      desk_(desk),
      channel_(std::move(socket), services.clock, services.limits.stall_timeout),
      peer_{std::move(client), {}},
      admission_(admission),
      waiting_(waiting) {}

void Connection::give_way() {
  waiting_.end();
  channel_.abort();
}

bool Connection::crawls(SteadyTime now) {
  if (!channel_.waits_for_client()) {
    window_begin_.reset();
    return false;
  }
  const std::uint64_t sent = channel_.sent_bytes();
  const HttpLimits& limits = services_.limits;
  bool slow = false;
  if (window_begin_) {
    const auto passed = std::chrono::duration_cast<Milliseconds>(now - *window_begin_);
    if (passed < limits.rate_window) return false;
    const auto due =
        limits.rate_min_bytes_per_second * static_cast<std::uint64_t>(passed.count()) / 1000;
    slow = sent - window_bytes_ < due;
  }
  window_begin_ = now;
  window_bytes_ = sent;
  return slow;
}

Task<void> Connection::run() {
  while (true) {
    if (admission_ == Admission::served) waiting_.begin(services_.clock.steady());
    Received received = co_await receive();
    waiting_.end();
    if (!received.request) {
      if (received.status != 0) co_await refuse(received.status);
      co_return;
    }
    if (admission_ == Admission::refused) {
      co_await refuse(503);
      co_return;
    }
    const bool keep_alive = received.request->keep_alive;
    const bool sent = co_await answer(std::move(*received.request));
    if (!sent) co_return;
    if (!keep_alive) {
      co_await linger();
      co_return;
    }
    // A client that sends its requests ahead never makes us wait: others have their turn in
    // between.
    if (!input_.empty()) co_await channel_.yield();
    if (channel_.aborted()) co_return;
  }
}

/// One request: waits at most idle_timeout for its first byte, then head_timeout for its head.
Task<Connection::Received> Connection::receive() {
  const HttpLimits& limits = services_.limits;
  RequestParser parser(limits.request);
  bool begun = false;
  channel_.deadline_in(admission_ == Admission::served ? limits.idle_timeout : limits.head_timeout);
  while (true) {
    if (!input_.empty()) {
      if (!std::exchange(begun, true)) channel_.deadline_in(limits.head_timeout);
      const auto progress = parser.feed(input_);
      input_.erase(0, progress.used);
      switch (progress.step) {
        case RequestParser::Step::done: {
          channel_.no_deadline();
          Received received;
          received.request = parser.take();
          co_return received;
        }
        case RequestParser::Step::failed: {
          Received received;
          received.status = progress.status;
          co_return received;
        }
        case RequestParser::Step::wants_body: {
          channel_.deadline_in(limits.body_timeout);
          auto sent = co_await channel_.send("HTTP/1.1 100 Continue\r\n\r\n", Flush::now);
          if (!sent) co_return Received();
          channel_.deadline_in(limits.body_timeout);
          continue;
        }
        case RequestParser::Step::need_more: break;
      }
    }
    const std::size_t held = input_.size();
    input_.resize(held + kReceiveBytes);
    auto n = co_await channel_.receive(std::span(input_).subspan(held));
    input_.resize(held + (n ? *n : 0));
    if (n && *n > 0) continue;
    Received received;
    if (!n && n.error().code == Errc::timeout && begun) received.status = 408;
    co_return received;
  }
}

/// False: the connection is over.
Task<bool> Connection::answer(Request received) {
  const auto request = std::make_shared<const Request>(std::move(received));
  const Responder responder(services_);
  Asked asked;
  auto response = responder.at_once(*request, asked);
  if (!response) {
    if (peer_.server.empty()) peer_.server = base_url(channel_.local());
    response = co_await desk_.rendered(request, peer_, asked);
  }
  if (request->method == Method::head) response->send_body = false;
  response->close = !request->keep_alive;
  co_return co_await send(std::move(*response), request.get(), asked);
}

Task<bool> Connection::send(Response response, const Request* request, const Asked& asked) {
  if (response.file && response.send_body) co_return co_await send_file(response, request, asked);
  services_.metrics.answered(asked.route.kind, response.status);
  const std::string head = format_head(response, request, services_.date());
  const std::string_view body = response.send_body ? response.text : std::string_view();
  auto sent = co_await channel_.send(head, body, Flush::now);
  channel_.no_deadline();
  if (sent) services_.metrics.sent(asked.route.kind, body.size());
  co_return sent.has_value();
}

Task<bool> Connection::send_file(Response& response, const Request* request, const Asked& asked) {
  BodySender sender(services_, channel_, *response.file);
  auto prepared = co_await sender.prepare();
  if (!prepared) {
    report_lost(response.file->file, prepared.error());
    Response retry = retry_response();  // a lost chunk is fetched again
    retry.close = response.close;
    co_return co_await send(std::move(retry), request, asked);
  }
  services_.metrics.answered(asked.route.kind, response.status);
  const std::string head = format_head(response, request, services_.date());
  auto sent = co_await sender.send(head);
  channel_.no_deadline();
  if (!sent) {
    services_.metrics.sending_failed();
    if (sent.error().code != Errc::cancelled && sent.error().code != Errc::timeout) {
      report_lost(response.file->file, sent.error());
    }
    co_return false;  // short of Content-Length: the client sees it and resumes
  }
  services_.metrics.sent(asked.route.kind, response.file->size_bytes());
  desk_.fetched(peer_.client, response.file->file);
  co_return true;
}

void Connection::report_lost(const CatalogFile& file, const Error& error) {
  services_.metrics.chunk_lost();
  if (const auto left_out = services_.lines.chunk_lost.take(services_.clock.steady()))
    log::error("http.chunk_lost", log::kv("client", peer_.client),
               log::kv("path", printable(file.entry->path)), log::kv("error", error.what),
               log::kv("left_out", *left_out));
}

Task<void> Connection::refuse(int status) {
  Response response = status == 503 ? retry_response() : error_response(status);
  response.close = true;
  const Asked nothing;
  const bool sent = co_await send(std::move(response), nullptr, nothing);
  if (sent) co_await linger();
}

/// FIN, then the client may read what we sent until it closes too.
Task<void> Connection::linger() {
  channel_.finish_writing();
  channel_.deadline_in(services_.limits.linger_timeout);
  std::array<char, kReceiveBytes> dropped;
  for (std::size_t total = 0; total < kLingerBytesMax;) {
    auto n = co_await channel_.receive(dropped);
    if (!n || *n == 0) co_return;
    total += *n;
  }
}

}  // namespace farboot
