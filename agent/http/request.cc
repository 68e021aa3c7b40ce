#include "agent/http/request.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/verb.hpp>

namespace farboot {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using Parser = http::request_parser<http::string_body>;

int status_of(const boost::system::error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get: return Method::get;
    case http::verb::head: return Method::head;
    case http::verb::post: return Method::post;
    default: return Method::other;
  }
}

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

void take_macs(const http::fields& fields, std::vector<std::string>& macs) {
  constexpr std::size_t kMacsMax = 32;  // more NICs than a machine has
  const beast::string_view wanted = "X-RHN-Provisioning-MAC-";
  for (const auto& field : fields) {
    if (macs.size() >= kMacsMax) return;
    const auto name = field.name_string();
    if (name.size() > wanted.size() && beast::iequals(name.substr(0, wanted.size()), wanted)) {
      macs.push_back(text(field.value()));
    }
  }
}

}  // namespace

struct RequestParser::State {
  Parser parser;
  bool continued = false;  ///< `100 Continue` was asked for and reported
};

RequestParser::RequestParser(const RequestLimits& limits) : state_(std::make_unique<State>()) {
  state_->parser.header_limit(limits.head_bytes_max);
  state_->parser.body_limit(limits.body_bytes_max);
}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

RequestParser::Progress RequestParser::feed(std::string_view input) {
  Parser& parser = state_->parser;
  Progress progress;
  // Empty lines before a request are skipped, RFC 9112 §2.2: old clients end a POST with one.
  while (!parser.got_some() && input.substr(progress.used).starts_with("\r\n")) progress.used += 2;
  while (!parser.is_done()) {
    const std::string_view rest = input.substr(progress.used);
    if (rest.empty() || (!parser.got_some() && rest == "\r")) break;
    boost::system::error_code error;
    progress.used += parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    if (error == http::error::need_more) break;
    if (error) return {Step::failed, progress.used, status_of(error)};
  }
  if (parser.is_done()) {
    progress.step = Step::done;
  } else if (parser.is_header_done() && !state_->continued && parser.get().version() >= 11 &&
             beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    state_->continued = true;
    progress.step = Step::wants_body;
  }
  return progress;
}

Request RequestParser::take() {
  const bool keep_alive = state_->parser.keep_alive();
  auto message = state_->parser.release();
  Request request;
  request.method = method_of(message.method());
  request.http_1_0 = message.version() < 11;
  request.keep_alive = keep_alive;
  request.has_host = message.find(http::field::host) != message.end();
  request.target = text(message.target());
  request.range = text(message[http::field::range]);
  request.if_range = text(message[http::field::if_range]);
  request.if_match = text(message[http::field::if_match]);
  request.if_none_match = text(message[http::field::if_none_match]);
  request.if_modified_since = text(message[http::field::if_modified_since]);
  request.if_unmodified_since = text(message[http::field::if_unmodified_since]);
  request.content_type = text(message[http::field::content_type]);
  request.serial = text(message["X-System-Serial-Number"]);
  take_macs(message, request.provisioning_macs);
  request.body = std::move(message.body());
  return request;
}

}  // namespace farboot
