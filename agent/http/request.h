// One HTTP request head (and small body) out of bytes. Boost.Beast does the parsing, in the .cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace farboot {

enum class Method : std::uint8_t {
  get,
  head,
  post,
  other
};

/// What we look at of a request; values as they came, trimmed. All of it is hostile text.
struct Request {
  Method method = Method::other;
  bool http_1_0 = false;
  bool keep_alive = false;
  bool has_host = false;
  std::string target;
  std::string range;
  std::string if_range;
  std::string if_match;
  std::string if_none_match;
  std::string if_modified_since;
  std::string if_unmodified_since;
  std::string content_type;
  std::string serial;                          ///< X-System-Serial-Number
  std::vector<std::string> provisioning_macs;  ///< X-RHN-Provisioning-MAC-<n>: `eth0 52:54:…`
  std::string body;
};

struct RequestLimits {
  std::uint32_t head_bytes_max = 16 * 1024;
  std::uint32_t body_bytes_max = 64 * 1024;
};

/// Parses one request; make a new one for the next. One owner.
class RequestParser {
 public:
  explicit RequestParser(const RequestLimits& limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  enum class Step : std::uint8_t {
    need_more,   ///< feed again, with what was not used in front of what comes
    wants_body,  ///< as need_more, and the client waits for `100 Continue` (said once)
    done,
    failed,  ///< answer `status` and close
  };
  struct Progress {
    Step step = Step::need_more;
    std::size_t used = 0;  ///< bytes of `input` that are done with
    int status = 0;
  };
  Progress feed(std::string_view input);

  /// The request; after Step::done, once.
  Request take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot
