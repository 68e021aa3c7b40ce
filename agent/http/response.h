// What goes back: a head and, after it, text or ranges of a file. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/http/conditional.h"
#include "agent/http/request.h"

namespace farboot {

/// A stretch of a file, and what comes before it on the wire (a part's head, in multipart).
struct FilePart {
  std::string before;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
};

struct FileBody {
  CatalogFile file;
  std::vector<FilePart> parts;
  std::string after;  ///< closing boundary, in multipart
  std::uint64_t size_bytes() const;
};

struct Response {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string type_buffer;  ///< owns the content type where it is not a literal
  std::string headers;      ///< further lines, each with its CRLF
  std::string text;         ///< the body, unless `file` is
  std::optional<FileBody> file;
  bool send_body = true;  ///< false: HEAD, 304
  bool close = false;     ///< the connection ends after this
};

/// `404 not found` and the like.
Response error_response(int status);
/// 503 with `Retry-After`: for what may heal.
Response retry_response();
/// Rendered text: never cached.
Response rendered_response(std::string text);

/// Answers GET or HEAD of `file`: conditions, ranges, headers, RFC 9110.
Response file_response(const Request& request, CatalogFile file);

/// Status line and header lines. `date` is http_date() of now.
std::string format_head(const Response& response, const Request* request, std::string_view date);

}  // namespace farboot
