#include "agent/http/response.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "agent/http/routes.h"
#include "common/wire/http_range.h"

namespace farboot {
namespace {

constexpr int kRetryAfterSeconds = 5;

/// Parts of multipart/byteranges (RFC 9110 §14.6). The boundary comes from the file's digest, which
/// the file cannot contain.
void make_multipart(Response& response, FileBody& body,
                    const std::vector<http_range::Range>& ranges) {
  const FileEntry& entry = *body.file.entry;
  const std::string boundary = "farboot-" + entry.sha256.hex().substr(0, 32);
  for (const auto& range : ranges) {
    FilePart part;
    part.before =
        fmt::format("\r\n--{}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
                    boundary, media_type(entry.path), range.first, range.last, entry.size_bytes);
    part.offset = range.first;
    part.size_bytes = range.size_bytes();
    body.parts.push_back(std::move(part));
  }
  body.after = fmt::format("\r\n--{}--\r\n", boundary);
  response.type_buffer = "multipart/byteranges; boundary=" + boundary;
}

}  // namespace

std::uint64_t FileBody::size_bytes() const {
  std::uint64_t size = after.size();
  for (const FilePart& part : parts) size += part.before.size() + part.size_bytes;
  return size;
}

Response error_response(int status) {
  Response response;
  response.status = status;
  response.text = fmt::format("{} {}\n", status, reason_phrase(status));
  return response;
}

Response retry_response() {
  Response response = error_response(503);
  response.headers = fmt::format("Retry-After: {}\r\n", kRetryAfterSeconds);
  return response;
}

Response rendered_response(std::string text) {
  Response response;
  response.headers = "Cache-Control: no-store\r\n";
  response.text = std::move(text);
  return response;
}

Response file_response(const Request& request, CatalogFile file) {
  const FileEntry& entry = *file.entry;
  const std::uint64_t size = entry.size_bytes;
  Validators validators;
  validators.etag.append(1, '"').append(entry.sha256.hex()).append(1, '"');
  validators.modified = file.modified;

  Response response;
  response.content_type = media_type(entry.path);
  auto out = std::back_inserter(response.headers);
  if (file.modified.time_since_epoch().count() != 0) {
    fmt::format_to(out, "Last-Modified: {}\r\n", http_date(file.modified));
  }
  fmt::format_to(out, "ETag: {}\r\nAccept-Ranges: bytes\r\n", validators.etag);

  const Conditions conditions{request.if_match, request.if_unmodified_since, request.if_none_match,
                              request.if_modified_since};
  switch (evaluate(conditions, validators)) {
    case Precondition::proceed: break;
    case Precondition::failed: return error_response(412);
    case Precondition::not_modified:
      response.status = 304;
      response.send_body = false;
      return response;
  }

  http_range::Parsed ranges;  // only GET has ranges, RFC 9110 §14.2
  if (request.method == Method::get && range_applies(request.if_range, validators)) {
    ranges = http_range::parse(request.range, size);
  }
  FileBody body{std::move(file), {}, {}};
  switch (ranges.answer) {
    case http_range::Answer::whole:
      if (size > 0) body.parts.push_back({{}, 0, size});
      break;
    case http_range::Answer::unsatisfiable:
      response = error_response(416);
      response.headers = fmt::format("Content-Range: bytes */{}\r\n", size);
      return response;
    case http_range::Answer::ranges:
      response.status = 206;
      if (ranges.ranges.size() == 1) {
        const auto& range = ranges.ranges.front();
        fmt::format_to(out, "Content-Range: bytes {}-{}/{}\r\n", range.first, range.last, size);
        body.parts.push_back({{}, range.first, range.size_bytes()});
      } else {
        make_multipart(response, body, ranges.ranges);
      }
      break;
  }
  response.send_body = request.method != Method::head;
  response.file = std::move(body);
  return response;
}

std::string format_head(const Response& response, const Request* request, std::string_view date) {
  std::string head;
  head.reserve(512);
  auto out = std::back_inserter(head);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\nServer: farboot\r\nDate: {}\r\n", response.status,
                 reason_phrase(response.status), date);
  if (response.status != 304) {
    const std::string_view type =
        response.type_buffer.empty() ? response.content_type : response.type_buffer;
    const std::uint64_t size = response.file ? response.file->size_bytes() : response.text.size();
    fmt::format_to(out, "Content-Type: {}\r\nContent-Length: {}\r\n", type, size);
  }
  head += response.headers;
  if (response.close) {
    head += "Connection: close\r\n";
  } else if (request != nullptr && request->http_1_0) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

}  // namespace farboot
