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

constexpr std::size_t kLastChunkBytesMin = 5;  ///< "0", CR LF twice: no chunked body ends in less

using Parser = http::request_parser<http::string_body>;

int status_of(const boost::system::error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

/// What the version of a request line is that the parser does not take (RFC 9112 §2.3).
enum class OtherVersion : std::uint8_t {
  malformed,    ///< not one at all
  later_minor,  ///< HTTP/1.2 … 1.9: to be taken as 1.1, RFC 9110 §6.2
  other_major
};
struct VersionFound {
  OtherVersion kind = OtherVersion::malformed;
  std::size_t minor_at = 0;  ///< offset of its last digit
};
VersionFound other_version(std::string_view input) {
  const std::size_t end = input.find("\r\n");
  if (end == std::string_view::npos) return {};
  const std::size_t blank = input.substr(0, end).rfind(' ');
  if (blank == std::string_view::npos) return {};
  const std::string_view word = input.substr(blank + 1, end - blank - 1);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (word.size() != 8 || !word.starts_with("HTTP/") || !digit(word[5]) || word[6] != '.' ||
      !digit(word[7]))
    return {};
  return {word[5] == '1' ? OtherVersion::later_minor : OtherVersion::other_major, end - 1};
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
  explicit State(const RequestLimits& limits_in) : limits(limits_in) {
    parser.header_limit(limits.head_bytes_max);
    parser.body_limit(limits.body_bytes_max);
  }
  RequestLimits limits;
  Parser parser;
  bool continued = false;  ///< `100 Continue` was asked for and reported
};

RequestParser::RequestParser(const RequestLimits& limits)
    : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

RequestParser::Progress RequestParser::feed(std::string_view input) {
  Progress progress;
  // Empty lines before a request are skipped, RFC 9112 §2.2: old clients end a POST with one.
  while (!state_->parser.got_some() && input.substr(progress.used).starts_with("\r\n"))
    progress.used += 2;
  while (!state_->parser.is_done()) {
    const std::string_view rest = input.substr(progress.used);
    if (rest.empty() || (!state_->parser.got_some() && rest == "\r")) break;
    // Beast ends the program when it sees the last chunk a second time in fewer bytes than this.
    if (state_->parser.is_header_done() && state_->parser.chunked() &&
        rest.size() < kLastChunkBytesMin)
      break;
    boost::system::error_code error;
    const std::size_t used =
        state_->parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    if (error == http::error::bad_version) {
      const VersionFound version = other_version(rest);
      if (version.kind != OtherVersion::later_minor)
        return {Step::failed, progress.used, version.kind == OtherVersion::other_major ? 505 : 400};
      std::string as_1_1(rest);
      as_1_1[version.minor_at] = '1';
      state_ = std::make_unique<State>(RequestLimits(state_->limits));
      progress.used += state_->parser.put(boost::asio::buffer(as_1_1), error);
    } else {
      progress.used += used;
    }
    if (error == http::error::need_more) break;
    if (error) return {Step::failed, progress.used, status_of(error)};
  }
  const Parser& parser = state_->parser;
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
